"""Characters and times, without audio."""

from __future__ import annotations

import pytest

from qwen_tts_api.routes.apis.elevenlabs.alignment import PACE_MS, Aligner, Alignment


def aligned(segments: list[tuple[str, list[float]]], pause_ms: float = 0) -> list[Alignment]:
    """Return what is told after each part of segments' audio, and at each segment's end."""
    aligner, now_ms, told = Aligner(), 0.0, []
    for text, parts_ms in segments:
        aligner.begin(text, now_ms)
        for part_ms in parts_ms:
            now_ms += part_ms
            aligner.heard(now_ms)
            told.append(aligner.take())
        aligner.end(now_ms)
        told.append(aligner.take())
        now_ms += pause_ms
    return told


@pytest.mark.parametrize("parts_ms", [[80.0] * 30, [10.0], [2000.0, 1.0], [0.0, 0.0, 500.0]])
def test_every_character_is_told_once_in_one_line_of_time(parts_ms: list[float]) -> None:
    texts = ["Hello, there.", "A", "Another sentence comes."]
    told = aligned([(text, parts_ms) for text in texts], pause_ms=250)
    whole = Alignment.join(told)
    assert "".join(whole.characters) == " ".join(texts)
    assert whole.starts_ms[0] == 0
    assert whole.starts_ms[1:] == pytest.approx(whole.ends_ms[:-1])
    assert whole.ends_ms == sorted(whole.ends_ms)
    assert whole.ends_ms[-1] == pytest.approx(3 * sum(parts_ms) + 2 * 250)


def test_a_segment_ends_where_its_audio_does() -> None:
    whole = Alignment.join(aligned([("abc", [300.0]), ("de", [100.0, 100.0])], pause_ms=50))
    ends = dict(zip(whole.characters, whole.ends_ms, strict=True))
    assert (ends["c"], ends[" "], ends["e"]) == (300, 350, 550)


def test_nothing_is_told_before_it_can_be_heard() -> None:
    """At the usual pace, then at that of the voice; the last character waits for the end."""
    told = aligned([("abcdefghij", [PACE_MS * 2.5, PACE_MS * 100])])
    assert told[0].characters == ["a", "b"]
    assert told[1].characters == list("cdefghi")
    assert told[2].characters == ["j"]
    slow = aligned([("abcd", [4000.0]), ("efgh", [1500.0, 2500.0])])
    assert "".join(slow[2].characters) == " e"


def test_audio_without_text_is_no_alignment() -> None:
    aligner = Aligner()
    aligner.heard(100)
    assert not aligner.take()
