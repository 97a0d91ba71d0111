"""`say -`: speak a text while a program is still writing it."""
