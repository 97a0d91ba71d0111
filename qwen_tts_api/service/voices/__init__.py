"""Who speaks: a model's own speakers, and registered voices."""
