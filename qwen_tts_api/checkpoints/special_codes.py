"""Ids of the talker's codec vocabulary that tell language and speaker, or that begin and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.transformer_config import TALKER, TALKER_DEFAULTS, completed
from qwen_tts_api.checkpoints.voice_names import TalkerVoices, check_rows
from qwen_tts_api.names import fold


@dataclass(frozen=True)
class SpecialCodes:
    """Ids of the talker's codec vocabulary that are not codes, and the voices it knows.

    Attributes:
        pad, bos, think, nothink, think_bos, think_eos: Ids of `codec_pad_id` and so on.
        speakers: Id by name, as `names.fold` has it.
        languages: Likewise, dialects included.
        dialects: The dialect of each speaker that has one, likewise.
    """

    pad: int
    bos: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int
    speakers: Mapping[str, int]
    languages: Mapping[str, int]
    dialects: Mapping[str, str]

    @classmethod
    def read(cls, config: Document) -> SpecialCodes:
        """Read them from config.json's `talker_config`.

        Raises:
            LoadError: An id is beyond the talker's codec embedding.
        """
        config = completed(config, TALKER_DEFAULTS, TALKER)
        voices = TalkerVoices.read(config)
        names = ("pad", "bos", "think", "nothink", "think_bos", "think_eos")
        ids = {name: config[f"codec_{name}_id"] for name in names}
        check_rows(
            {
                **{f"codec_{name}_id": index for name, index in ids.items()},
                "codec_eos_token_id": config["codec_eos_token_id"],
                **{f"the id of the speaker {name}": i for name, i in voices.speaker_ids.items()},
                **{f"the id of the language {name}": i for name, i in voices.language_ids.items()},
            },
            config["vocab_size"],
            f"{TALKER}.vocab_size",
        )
        return cls(
            **ids,
            speakers={fold(name): index for name, index in voices.speaker_ids.items()},
            languages=voices.language_ids,
            dialects={fold(name): dialect for name, dialect in voices.dialects.items()},
        )

    def tag(self, language: str, speaker: str | None) -> list[int]:
        """Return the ids that tell the language, which may be `auto`; a speaker in any case.

        A speaker's dialect replaces Chinese and `auto`, but no other language.

        Raises:
            ValueError: There is no such language.
        """
        if language in ("chinese", "auto") and speaker is not None:
            language = self.dialects.get(fold(speaker), language)
        if language == "auto":
            return [self.nothink, self.think_bos, self.think_eos]
        if language not in self.languages:
            raise ValueError(f"No language {language!r}; there are {', '.join(self.languages)}.")
        return [self.think, self.think_bos, self.languages[language], self.think_eos]

    def speaker_id(self, speaker: str) -> int:
        """Return a speaker's id; the name is in any case.

        Raises:
            ValueError: There is no such speaker.
        """
        if fold(speaker) not in self.speakers:
            raise ValueError(f"No speaker {speaker!r}; there are {', '.join(self.speakers)}.")
        return self.speakers[fold(speaker)]
