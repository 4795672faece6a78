"""The HTTP edge for applications: JSON in, JSON out. The room contacts works out the answers."""
