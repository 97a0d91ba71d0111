"""Voices: speakers of a model, registered voices, and which of them a request means."""
