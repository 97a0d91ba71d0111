"""What a request says, in whichever form, and how that is prepared: passage by passage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from qwen_tts_api.errors import InvalidRequest, NothingToSay, TextRequired
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.aligned.alignment import Alignment
from qwen_tts_api.service.text.aligned.comparison import compare
from qwen_tts_api.service.text.aligned.written import Written
from qwen_tts_api.service.text.markup.markup import blank_markup
from qwen_tts_api.service.text.normalize import (
    KINDS,
    NormalizedText,
    check_text,
    has_words,
    normalize_text,
    prepare_text,
)
from qwen_tts_api.service.text.script.marks import MarkKinds, find_marks, split_at_marks
from qwen_tts_api.service.text.script.passage import Passage, Script
from qwen_tts_api.service.text.script.pauses import check_pauses
from qwen_tts_api.service.text.script.ssml import read_ssml
from qwen_tts_api.service.text.script.turns import read_turns, split_at_speakers
from qwen_tts_api.service.text.verbalize.edits import Edit, apply
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN
from qwen_tts_api.service.voices.resolve import ResolvedVoice

_FORMS = ("ssml", "turns", "speaker_marks")


def make_script(request: SpeechRequest, max_chars: int) -> tuple[Script, NormalizedText]:
    """Return what a request says as it is spoken, and all of its text.

    A text without words is a silence, where that is to be its answer.

    Args:
        request: As `with_defaults` returns it.
        max_chars: Of the text, and of each passage.

    Raises:
        TTSError: What `read_script` and `prepare_script` raise.
    """
    try:
        script = read_script(request, max_chars)
        normalize = bool(request.normalize)
        return prepare_script(script, max_chars, normalize=normalize, timed=request.timestamps)
    except (TextRequired, NothingToSay):
        if not request.silence or not request.whole_text:
            raise
        nothing = normalize_text(request.whole_text, has_markup=not request.ssml)
        return _silence(nothing.changes)


def read_script(request: SpeechRequest, max_chars: int) -> Script:
    """Return what a request says, as passages whose texts are still as they came.

    Args are those of `make_script`.

    Raises:
        InvalidRequest: Its fields contradict each other.
        InvalidSsml: It is SSML that is not understood.
        TTSError: What `check_text` raises.
    """
    _check_form(request)
    script = _read(request, max_chars)
    if not request.break_tags:
        return script
    return replace(
        script, passages=[replace(each, has_break_tags=True) for each in script.passages]
    )


def _read(request: SpeechRequest, max_chars: int) -> Script:
    """Return the script of a request's form."""
    marks = bool(request.pause_marks)
    if request.turns:
        return read_turns(request.turns, max_chars, pause_marks=marks)
    if request.ssml:
        text = check_text(request.text, max_chars)
        start = request.text.index(text)
        return read_ssml(text, request.language, start, timed=request.timestamps)
    if request.speaker_marks:
        text = check_text(request.text, max_chars)
        return split_at_speakers(text, request.text.index(text), pause_marks=marks)
    return Script([Passage(request.text, has_pause_marks=marks)])


def prepare_script(
    script: Script, max_chars: int, *, normalize: bool, timed: bool = False
) -> tuple[Script, NormalizedText]:
    """Return a script as it is spoken, and all of its text.

    A passage without words is left out; its pause counts with the one before. Where none has words
    the pauses are all there is, behind one passage without text.

    Args:
        script: What the request says, of at least one passage.
        max_chars: Of each passage.
        normalize: Whether what is meant for the eye only is taken out.
        timed: Whether passages have the client's text that they are made of.

    Raises:
        NothingToSay, TextRequired: There are neither words nor stated pauses.
        InvalidRequest: All pauses together are too long (`check_pauses`).
        TTSError: What else `prepare_text` and `split_at_marks` raise.
    """
    if _is_plain(script):
        (passage,) = script.passages
        text = prepare_text(
            passage.text, max_chars, normalize=normalize, has_markup=passage.has_markup
        )
        written = _written(passage, [], text.text, normalize=normalize) if timed else None
        return Script((replace(passage, text=text.text, written=written),)), text
    prepared: list[Passage] = []
    changes: Counter[str] = Counter()
    nothing: InvalidRequest = NothingToSay(
        "There is nothing to speak: the text has tags, marks or names alone.",
        fields={"text": ["Nothing to speak."]},
    )
    for passage in script.passages:
        kinds = MarkKinds(passage.has_pause_marks, passage.has_break_tags)
        signs, pauses_s = find_marks(passage.text, kinds)
        raw = apply(passage.text, signs)
        try:
            text = prepare_text(raw, max_chars, normalize=normalize, has_markup=passage.has_markup)
        except (NothingToSay, TextRequired) as error:
            nothing, text = error, NormalizedText("")
        changes.update(text.changes)
        written = _written(passage, signs, text.text, normalize=normalize) if timed else None
        prepared += split_at_marks(replace(passage, text=text.text, written=written), pauses_s)
    spoken = _join_pauses(script.lead_s, prepared)
    if not spoken.passages and not spoken.lead_s:
        raise nothing
    whole = NormalizedText(" ".join(passage.text for passage in spoken.passages), changes)
    return replace(spoken, passages=spoken.passages or [Passage("")]), whole


def word_script(
    script: Script, text: NormalizedText, voices: Sequence[ResolvedVoice]
) -> tuple[Script, NormalizedText]:
    """Return a prepared script in the words that are spoken, and all of its text.

    Where the model can read nothing of a passage, and silence is to be the answer, it is one.

    Args:
        script: Prepared.
        text: All of its text.
        voices: Of its passages.

    Raises:
        NothingToSay: The model can read nothing of a passage.
    """
    if all(voice.wording is AS_WRITTEN for voice in voices):
        return script, text
    changes, passages = Counter(text.changes), []
    for passage, voice in zip(script.passages, voices, strict=True):
        with passage.style.locating_errors():
            worded, changed, alignment = voice.wording.word_aligned(passage.text)
            changes.update(changed)
            if passage.text and not voice.wording.is_spoken(worded):
                if voice.request.silence:
                    return _silence(changes)
                raise _unreadable(voice.model)
        written = passage.written and passage.written.said(alignment).stripped(worded)
        passages.append(replace(passage, text=worded.strip(), written=written))
    if all(new.text == old.text for new, old in zip(passages, script.passages, strict=True)):
        return script, text
    ordered = {kind: changes[kind] for kind in KINDS if changes[kind]}
    whole = " ".join(passage.text for passage in passages)
    return replace(script, passages=passages), NormalizedText(whole, ordered)


def _silence(changes: Mapping[str, int]) -> tuple[Script, NormalizedText]:
    """Return what is spoken of a text without words."""
    ordered = {kind: changes[kind] for kind in KINDS if changes.get(kind)}
    return Script([Passage("")]), NormalizedText("", ordered)


def _unreadable(model: str) -> NothingToSay:
    return NothingToSay(
        f"The model {model!r} reads the letters a to z only, and the text has none: use a model "
        "that speaks its language.",
        fields={"text": ["This model reads the letters a to z only."]},
    )


def _written(passage: Passage, signs: Sequence[Edit], text: str, *, normalize: bool) -> Written:
    """Return what a client wrote of a passage, with signs in it, which has become another text."""
    if passage.written:
        return passage.written.said(compare(passage.text, text))
    raw = apply(passage.text, signs)
    source, seen = raw, Alignment.same(len(raw))
    if normalize and passage.has_markup:
        source, seen = blank_markup(raw)
    places = Alignment.edited(len(passage.text), signs).then(seen)
    return Written.of(source, places, text, passage.start)


def _is_plain(script: Script) -> bool:
    """Return whether a script is a text that says nothing but its words."""
    passage = script.passages[0] if script.passages else Passage("")
    has_marks = passage.has_pause_marks or passage.has_break_tags
    return len(script.passages) == 1 and not script.is_timed and not has_marks


def _join_pauses(lead_s: float, passages: Sequence[Passage]) -> Script:
    """Return the passages that have words, each with the pauses up to the next."""
    spoken: list[Passage] = []
    check_pauses(lead_s + sum(passage.pause_s or 0.0 for passage in passages))
    for passage in passages:
        if has_words(passage.text):
            spoken.append(replace(passage, text=passage.text.strip()))
        elif spoken:
            spoken[-1] = _followed(spoken[-1], passage)
        else:
            lead_s += passage.pause_s or 0.0
    return Script(spoken, lead_s)


def _followed(passage: Passage, silent: Passage) -> Passage:
    """Return a passage with the pause of one that follows and has no words."""
    if silent.pause_s is None:
        return replace(passage, boundary=max(passage.boundary, silent.boundary))
    return replace(passage, pause_s=(passage.pause_s or 0.0) + silent.pause_s)


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
