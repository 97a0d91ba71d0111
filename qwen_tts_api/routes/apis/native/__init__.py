"""The native API: `/api/tts`, `/speakers`, `/languages`, `/models`."""
