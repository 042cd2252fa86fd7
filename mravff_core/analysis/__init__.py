"""Questions to predictions and detectors, answered as values that pages, commands and notebooks share."""
