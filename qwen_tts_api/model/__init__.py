"""Checkpoints, devices and the model's arithmetic; knows nothing of requests or threads."""
