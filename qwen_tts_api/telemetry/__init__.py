"""Logs, metrics and traces: what is told of the process while it runs."""
