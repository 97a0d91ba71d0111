"""Threads that own models, and the queues in front of them; knows nothing of HTTP."""
