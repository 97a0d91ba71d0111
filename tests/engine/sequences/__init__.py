"""Tests of `qwen_tts_api.engine.sequences`."""
