"""Format, rate and speed: chosen as asked, refused with what is allowed."""

from __future__ import annotations

import pytest

from qwen_tts_api.audio import FORMATS, SAMPLE_RATES_HZ
from qwen_tts_api.errors import InvalidRequest, UnknownFormat
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.request import SpeechRequest, choose_output
from tests.rows import for_each


def test_the_default_is_wav_as_the_model_makes_it() -> None:
    output = choose_output(SpeechRequest("a"))
    assert (output.audio_format.name, output.sample_rate_hz, output.speed) == ("wav", 24_000, 1)


@for_each("name", FORMATS)
def test_every_format_has_its_rates(name: str) -> None:
    """Telephony's have 8 kHz only, which they need not be asked for; Opus has none of CDs'."""
    telephony = name in ("mulaw", "alaw")
    lacks = {"opus": (22_050, 44_100)}.get(name, ())
    output = choose_output(SpeechRequest("a", audio_format=f" {name.upper()} "))
    assert output.audio_format is FORMATS[name]
    assert output.sample_rate_hz == (8_000 if telephony else SAMPLE_RATE_HZ)
    for rate_hz in SAMPLE_RATES_HZ:
        request = SpeechRequest("a", audio_format=name, sample_rate_hz=rate_hz)
        if rate_hz in lacks:
            with pytest.raises(InvalidRequest, match=rf"{rate_hz}; .* opus are 8000, 16000, 24000"):
                choose_output(request)
        elif telephony and rate_hz != 8_000:
            with pytest.raises(InvalidRequest, match=rf"{rate_hz}; .* {name} are 8000 \(Hz\)"):
                choose_output(request)
        else:
            assert choose_output(request).sample_rate_hz == rate_hz


@pytest.mark.parametrize("rate_hz", [0, -1, 7999, 44_101])
def test_other_rates_are_refused(rate_hz: int) -> None:
    with pytest.raises(InvalidRequest, match="8000, 16000, 22050, 24000, 44100, 48000") as raised:
        choose_output(SpeechRequest("a", sample_rate_hz=rate_hz))
    assert list(raised.value.fields or {}) == ["sample_rate"]


@for_each("speed", [0.0, 0.24, 4.1, -1.0, float("nan")])
def test_other_speeds_are_refused(speed: float) -> None:
    with pytest.raises(InvalidRequest, match=r"0\.25 to 4"):
        choose_output(SpeechRequest("a", speed=speed))
    assert choose_output(SpeechRequest("a", speed=0.25)).speed == 0.25
    assert choose_output(SpeechRequest("a", speed=4)).speed == 4


def test_aac_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(UnknownFormat, match="use mp3 or opus"):
        choose_output(SpeechRequest("a", audio_format="AAC"))
    with pytest.raises(UnknownFormat, match="Unknown audio format 'mid'; allowed are wav, mp3"):
        choose_output(SpeechRequest("a", audio_format="mid"))


@for_each(
    ("name", "meant"),
    [
        ("g711_ulaw", "mulaw"),
        ("g711_alaw", "alaw"),
        ("mu-law", "mulaw"),
        ("pcm_mulaw", "mulaw"),
        ("ulaw_8000", "mulaw"),
        ("ogg_opus", "opus"),
        ("webm-24khz-16bit-mono-opus", "opus"),
        ("audio/ogg; codecs=opus", "opus"),
        ("ogg_vorbis", "ogg"),
        ("audio/mpeg", "mp3"),
        ("mp3_44100_128", "mp3"),
        ("audio/x-wav", "wav"),
        ("riff-24khz-16bit-mono-pcm", "wav"),
        ("LINEAR16", "pcm"),
        ("pcm_s16le", "pcm"),
        ("pcm_24000", "pcm"),
        ("aif", "aiff"),
        ("mp2", "mp3"),
        ("flacc", "flac"),
    ],
)
def test_what_others_call_a_format_gets_a_hint(name: str, meant: str) -> None:
    with pytest.raises(UnknownFormat, match=f"did you mean '{meant}'[?] allowed are wav, "):
        choose_output(SpeechRequest("a", audio_format=name))


@for_each("name", ["aac", "m4a", "mp4", "audio/aac", "AAC_ADTS"])
def test_aac_by_any_name(name: str) -> None:
    with pytest.raises(UnknownFormat, match="AAC is not made here; use mp3 or opus instead"):
        choose_output(SpeechRequest("a", audio_format=name))
