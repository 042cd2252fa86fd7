"""Questions to a workspace's predictions, answered as tables that pages, commands and notebooks share."""
