"""From features and files to detections."""
