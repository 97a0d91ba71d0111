"""From a plan to the bytes of an audio file: jobs, pauses, encoding."""
