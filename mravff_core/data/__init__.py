"""Arrays and annotations on their way from files to a detector."""
