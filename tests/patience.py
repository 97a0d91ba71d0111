"""How long tests wait for other threads and processes."""

PATIENCE_S = 60.0
"""For what should come at once: on a machine with ten times the work, seconds pass until it does.

Only a test that would fail waits for as long.
"""
