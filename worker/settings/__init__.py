"""The configuration: declares, reads and checks the settings."""
