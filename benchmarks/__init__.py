"""Speed and memory, measured: one command, one table each."""
