"""Development tools, which the server does not use."""
