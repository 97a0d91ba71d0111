"""Which part of what a client wrote is spoken as which part of a prompt."""
