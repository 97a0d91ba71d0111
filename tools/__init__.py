"""Programs that belong to the project and not to the server."""
