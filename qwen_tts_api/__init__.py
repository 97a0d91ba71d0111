"""An HTTP server for Qwen3-TTS: text in, speech out."""

__version__ = "0.1.0"
