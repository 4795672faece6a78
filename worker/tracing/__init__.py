"""Traces of webhooks from the receiver to the status, for an OpenTelemetry collector; off unless a setting says so."""
