"""Speech of a text that arrives while it is spoken."""
