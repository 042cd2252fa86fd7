"""The demo kitchen: scripted clips with rendered pictures, synthesised sound and known truth."""
