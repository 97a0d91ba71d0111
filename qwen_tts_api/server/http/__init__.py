"""HTTP/1.1 over bytes that arrive in any cut: connections, framing, parsing, answers."""
