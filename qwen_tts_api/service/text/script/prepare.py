"""Validate and normalize the passages of a script, each as a text of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from qwen_tts_api.errors import NothingToSay, TextRequired, UnspeakableText
from qwen_tts_api.service.text.normalize import NormalizedText, has_words, prepare_text
from qwen_tts_api.service.text.script.passage import Passage, Script


def prepare_script(
    script: Script, max_chars: int, *, normalize: bool
) -> tuple[Script, NormalizedText]:
    """Return a script as it is spoken, and all of its text.

    A passage without words is left out; its pause counts with the one before. Where none has words
    the pauses are all there is, behind one passage without text.

    Args:
        script: What the request says, of at least one passage.
        max_chars: Of each passage.
        normalize: Whether what is meant for the eye only is taken out.

    Raises:
        NothingToSay, TextRequired: There are neither words nor stated pauses.
        TTSError: What else `prepare_text` raises.
    """
    if len(script.passages) == 1 and not script.is_timed:
        (passage,) = script.passages
        text = prepare_text(passage.text, max_chars, normalize=normalize)
        return Script((replace(passage, text=text.text),)), text
    spoken: list[Passage] = []
    lead_s, changes = script.lead_s, Counter[str]()
    nothing: UnspeakableText | TextRequired | None = None
    for passage in script.passages:
        try:
            text = prepare_text(passage.text, max_chars, normalize=normalize)
        except (NothingToSay, TextRequired) as error:
            nothing, text = error, NormalizedText("")
        changes.update(text.changes)
        if has_words(text.text):
            spoken.append(replace(passage, text=text.text))
        elif spoken:
            spoken[-1] = _followed(spoken[-1], passage)
        else:
            lead_s += passage.pause_s or 0.0
    if not spoken and nothing is not None and not lead_s:
        raise nothing
    whole = " ".join(passage.text for passage in spoken)
    return Script(spoken or [Passage("")], lead_s), NormalizedText(whole, changes)


def _followed(passage: Passage, silent: Passage) -> Passage:
    """Return a passage with the pause of one that follows and has no words."""
    if silent.pause_s is None:
        return replace(passage, boundary=max(passage.boundary, silent.boundary))
    return replace(passage, pause_s=(passage.pause_s or 0.0) + silent.pause_s)
