"""Tests of `qwen_tts_api.service.synthesis`."""
