"""`make soak`: minutes of clients that mean well, and clients that do not, while things break."""
