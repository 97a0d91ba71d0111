"""This server's own API: `/api/tts`, `/speakers`, `/models`."""
