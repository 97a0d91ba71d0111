"""Normalize any text, split it into segments, and concatenate their audio."""
