"""WebSockets on the main port: the transport, and the APIs that take text while it is spoken."""
