"""What a request says, in whichever form: a plain text, one with marks, SSML, turns."""

from __future__ import annotations

from qwen_tts_api.errors import InvalidRequest
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.normalize import check_text
from qwen_tts_api.service.text.script.passage import Passage, Script
from qwen_tts_api.service.text.script.ssml import read_ssml
from qwen_tts_api.service.text.script.turns import read_turns, split_at_speakers

_FORMS = ("ssml", "turns", "speaker_marks")


def read_script(
    request: SpeechRequest, max_chars: int, *, language: str, pause_marks: bool
) -> Script:
    """Return what a request says, as passages whose texts are still as they came.

    Args:
        request: What the client asks for.
        max_chars: Of its text, marks and tags included.
        language: Its language where it does not say.
        pause_marks: Whether `[pause]` is one where the request does not say.

    Raises:
        InvalidRequest: Its fields contradict each other.
        InvalidSsml: It is SSML that is not understood.
        TTSError: What `check_text` raises.
    """
    _check_form(request)
    marks = pause_marks if request.pause_marks is None else request.pause_marks
    if request.turns:
        return read_turns(request.turns, max_chars, pause_marks=marks)
    if request.ssml:
        text = check_text(request.text, max_chars)
        return read_ssml(text, request.language or language)
    if request.speaker_marks:
        return split_at_speakers(check_text(request.text, max_chars), pause_marks=marks)
    passage = Passage(request.text, has_pause_marks=marks, has_break_tags=request.break_tags)
    return Script([passage])


def _check_form(request: SpeechRequest) -> None:
    """Refuse a request whose text is of two forms at once."""
    forms = [name for name in _FORMS if getattr(request, name)]
    if len(forms) > 1:
        raise InvalidRequest(
            f"{forms[0]!r} and {forms[1]!r} exclude each other: leave one out.",
            fields={forms[1]: [f"Does not go with {forms[0]!r}."]},
        )
    if request.turns and request.text:
        raise InvalidRequest(
            lambda field: f"Give {field('text')} or {field('turns')}, not both.",
            fields={"turns": [lambda field: f"Does not go with {field('text')}."]},
        )
    if request.ssml and request.pause_marks:
        raise InvalidRequest(
            "In SSML a pause is <break time=\"1.5s\"/>: leave 'pause_marks' out.",
            fields={"pause_marks": ["Does not go with 'ssml'."]},
        )
