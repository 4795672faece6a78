"""The HTTP edge for applications: JSON in, JSON out. What it answers is worked out in contacts."""
