"""From samples to the bytes of an audio file, whole or as they come."""

from qwen_tts_api.audio.encoder import Encoder, Samples
from qwen_tts_api.audio.formats import FORMATS, SAMPLE_RATES_HZ, AudioFormat

__all__ = ["FORMATS", "SAMPLE_RATES_HZ", "AudioFormat", "Encoder", "Samples"]
