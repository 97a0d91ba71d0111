"""An utterance in its slot: how far it is, and its text."""
