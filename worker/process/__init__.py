"""Shared by all processes: logs, metrics, probes, signals, waits between tries."""
