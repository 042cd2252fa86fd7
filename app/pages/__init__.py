"""Pages of the app, one a file; each offers `show()`."""
