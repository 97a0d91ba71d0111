"""Normalize any text, and split it into segments."""
