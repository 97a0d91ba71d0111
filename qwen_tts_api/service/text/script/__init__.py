"""What a request says beside its words: pauses, voices and tempo, in its text or beside it."""
