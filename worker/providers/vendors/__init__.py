"""What is particular to each vendor: a module each, or a folder where one is not enough."""
