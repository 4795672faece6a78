"""The configuration: declared, read, checked, told."""
