"""From samples to the bytes of an audio file, whole or as they come."""

from qwen_tts_api.audio.formats import DEFAULT_FORMAT, FORMATS, SAMPLE_RATES_HZ, AudioFormat

__all__ = ["DEFAULT_FORMAT", "FORMATS", "SAMPLE_RATES_HZ", "AudioFormat"]
