"""How a request's text is put into words: what the settings, the model and the request say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from qwen_tts_api.config import Config
from qwen_tts_api.errors import NothingToSay
from qwen_tts_api.service.models import AUTO
from qwen_tts_api.service.request import FULL, SpeechRequest
from qwen_tts_api.service.text.normalize import KINDS, NormalizedText
from qwen_tts_api.service.text.pronunciation_file import (
    NO_LINES,
    find_pronunciations,
    read_pronunciations,
)
from qwen_tts_api.service.text.script.passage import Passage, Script
from qwen_tts_api.service.text.verbalize.wording import AS_WRITTEN, Wording
from qwen_tts_api.service.voices.resolve import ResolvedVoice


class Wordings:
    """The wording of each request, with the settings' defaults.

    Raises:
        ConfigError: `QWEN_PRONUNCIATIONS` cannot be read, or has an invalid line.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        path = config.pronunciations
        self._file = read_pronunciations(path) if path else None

    def find(self, voice: ResolvedVoice) -> Wording:
        """Return how the texts of a voice's request are worded; most are spoken as written.

        A model that reads letters only has no use for anything else, so that there it is always in
        full, but where the request or the setting wants the text unchanged.
        """
        request, card = voice.request, voice.card
        normalize = effective_normalize(self._config, request)
        is_read = bool(normalize) and card.letters_only
        full = normalize == FULL or is_read
        if not (full or self._file or request.pronunciations):
            return AS_WRITTEN
        lines = self._file.current() if self._file else NO_LINES
        is_only = voice.language == AUTO and len(card.languages) == 1
        language = card.languages[0] if is_only else voice.language
        pronunciations = find_pronunciations(lines, language, request.pronunciations)
        return Wording(language, pronunciations, full=full, letters_only=is_read)

    def word_script(
        self, script: Script, text: NormalizedText, voices: list[ResolvedVoice]
    ) -> tuple[Script, NormalizedText, list[ResolvedVoice]]:
        """Return a prepared script in the words that are spoken, all of its text, and its voices.

        Where the model can read nothing of a passage, and silence is to be the answer, it is one.

        Raises:
            NothingToSay: The model can read nothing of a passage.
        """
        wordings = [self.find(voice) for voice in voices]
        if all(wording is AS_WRITTEN for wording in wordings):
            return script, text, voices
        changes, passages = Counter(text.changes), []
        for passage, voice, wording in zip(script.passages, voices, wordings, strict=True):
            with passage.style.placing():
                worded, changed, alignment = wording.word_aligned(passage.text)
                changes.update(changed)
                if passage.text and not wording.is_spoken(worded):
                    if voice.request.silence:
                        return *silence(changes), voices[:1]
                    raise _unreadable(voice)
            written = passage.written and passage.written.said(alignment).stripped(worded)
            passages.append(replace(passage, text=worded.strip(), written=written))
        if all(new.text == old.text for new, old in zip(passages, script.passages, strict=True)):
            return script, text, voices
        ordered = {kind: changes[kind] for kind in KINDS if changes[kind]}
        whole = " ".join(passage.text for passage in passages)
        return replace(script, passages=passages), NormalizedText(whole, ordered), voices


def silence(changes: Mapping[str, int]) -> tuple[Script, NormalizedText]:
    """Return what is spoken of a text without words."""
    ordered = {kind: changes[kind] for kind in KINDS if changes.get(kind)}
    return Script([Passage("")]), NormalizedText("", ordered)


def effective_normalize(config: Config, request: SpeechRequest) -> bool | str:
    """Return what of a request's text is normalized: nothing, markup and the like, or `full`."""
    return config.normalize_text if request.normalize is None else request.normalize


def _unreadable(voice: ResolvedVoice) -> NothingToSay:
    return NothingToSay(
        f"The model {voice.model!r} reads the letters a to z only, and the text has none: use a "
        "model that speaks its language.",
        fields={"text": ["This model reads the letters a to z only."]},
    )
