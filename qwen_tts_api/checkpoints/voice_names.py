"""Speakers, languages and dialects of a checkpoint, and the ids that announce them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qwen_tts_api.checkpoints.documents import (
    DIALECTS,
    ID,
    IDS,
    OPTIONAL_IDS,
    Document,
    read_fields,
)
from qwen_tts_api.checkpoints.transformer_config import TALKER
from qwen_tts_api.errors import LoadError
from qwen_tts_api.names import fold

# Upstream's, where config.json has none.
TEXT_IDS = {"tts_bos_token_id": 151672, "tts_eos_token_id": 151673, "tts_pad_token_id": 151671}


@dataclass(frozen=True)
class TalkerVoices:
    """What config.json's `talker_config` says of voices.

    Attributes:
        speaker_ids: By name, as the checkpoint spells it.
        language_ids: By name as `names.fold` has it, dialects included.
        dialects: By the speakers' names, as the checkpoint spells them; the dialect as in
            `language_ids`. Only of speakers that have one.
    """

    speaker_ids: dict[str, int]
    language_ids: dict[str, int]
    dialects: dict[str, str]

    @classmethod
    def read(cls, config: Document) -> TalkerVoices:
        """Read them.

        Raises:
            LoadError: A field is of another type, or two names cannot be told apart.
        """
        missing: Document = {"spk_id": None, "spk_is_dialect": None}
        config = missing | config
        kinds = {"spk_id": OPTIONAL_IDS, "spk_is_dialect": DIALECTS, "codec_language_id": IDS}
        read_fields(config, TALKER, kinds)
        speaker_ids = _once(config["spk_id"] or {}, "spk_id")
        languages = _once(config["codec_language_id"], "codec_language_id")
        language_ids = {fold(name): index for name, index in languages.items()}
        dialect_of = {
            fold(name): fold(dialect)
            for name, dialect in (config["spk_is_dialect"] or {}).items()
            if dialect
        }
        dialects = {
            name: dialect_of[fold(name)] for name in speaker_ids if fold(name) in dialect_of
        }
        for name, dialect in dialects.items():
            if dialect not in language_ids:
                raise LoadError(
                    f"{TALKER}.spk_is_dialect says that {name} speaks {dialect!r}, which "
                    "codec_language_id has not."
                )
        return cls(speaker_ids, language_ids, dialects)


def _once(ids: Mapping[str, int], field: str) -> dict[str, int]:
    """Return the names, each in its first spelling.

    Raises:
        LoadError: Two that requests cannot tell apart have different ids, or one cannot be listed.
    """
    kept: dict[str, str] = {}
    for name, index in ids.items():
        if not name.strip() or not name.isprintable():
            raise LoadError(
                f"{TALKER}.{field} has the name {name!r}: rename it, in printable characters."
            )
        other = kept.setdefault(fold(name), name)
        if ids[other] != index:
            raise LoadError(
                f"{TALKER}.{field} has {other!r} and {name!r}, which differ by case alone, and "
                "requests do not: rename one of them."
            )
    return {name: ids[name] for name in kept.values()}


def read_text_ids(config: Document, num_rows: int) -> list[int]:
    """Return the ids of tts_bos, tts_eos and tts_pad, upstream's where config.json has none.

    Raises:
        LoadError: One is no row of the text embedding.
    """
    ids = {name: config.get(name, default) for name, default in TEXT_IDS.items()}
    read_fields(ids, "config.json", dict.fromkeys(TEXT_IDS, ID))
    check_rows(ids, num_rows, f"{TALKER}.text_vocab_size")
    return list(ids.values())


def check_rows(ids: Mapping[str, int], num_rows: int, field: str) -> None:
    """Refuse ids that are no row of an embedding, which would be read beyond its end.

    Raises:
        LoadError: It names the first.
    """
    for name, index in ids.items():
        if index >= num_rows:
            raise LoadError(
                f"config.json: {name} is {index}, or missing; it has to be below {field}, which "
                f"is {num_rows}."
            )
