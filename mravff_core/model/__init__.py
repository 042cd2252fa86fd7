"""Networks: visual bases, audio fusion, the detector that wires them, and its files."""
