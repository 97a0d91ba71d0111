"""From a recording to a voice: upstream's own encoders."""
