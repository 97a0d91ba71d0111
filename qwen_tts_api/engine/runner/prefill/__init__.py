"""Prompts of several slots, by either path, and what is kept of them for later ones."""
