"""Read the speakers, languages and dialects of a checkpoint, and their token ids."""

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

# Upstream's defaults.
TEXT_IDS = {"tts_bos_token_id": 151672, "tts_eos_token_id": 151673, "tts_pad_token_id": 151671}


@dataclass(frozen=True)
class TalkerVoices:
    """Speakers, languages and dialects of `talker_config` in config.json.

    Attributes:
        speaker_ids: Codec ids by name, as the checkpoint spells it.
        language_ids: Codec ids by name, normalized by `names.fold`; dialects included.
        dialects: Dialect (a key of `language_ids`) by speaker, of those that have one.
    """

    speaker_ids: dict[str, int]
    language_ids: dict[str, int]
    dialects: dict[str, str]

    @classmethod
    def read(cls, config: Document) -> TalkerVoices:
        """Read them from `talker_config`.

        Raises:
            LoadError: A field has a wrong type, or two names differ by case only.
        """
        missing: Document = {"spk_id": None, "spk_is_dialect": None}
        config = missing | config
        types = {"spk_id": OPTIONAL_IDS, "spk_is_dialect": DIALECTS, "codec_language_id": IDS}
        read_fields(config, TALKER, types)
        speaker_ids = _deduplicate(config["spk_id"] or {}, "spk_id")
        languages = _deduplicate(config["codec_language_id"], "codec_language_id")
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


def _deduplicate(ids: Mapping[str, int], field: str) -> dict[str, int]:
    """Return ids by name; of names that differ by case only, the first.

    Raises:
        LoadError: Names that differ by case only have different ids, or one is not printable.
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
    """Return the token ids of tts_bos, tts_eos and tts_pad.

    Raises:
        LoadError: One is out of range of the text embedding.
    """
    ids = {name: config.get(name, default) for name, default in TEXT_IDS.items()}
    read_fields(ids, "config.json", dict.fromkeys(TEXT_IDS, ID))
    check_rows(ids, num_rows, f"{TALKER}.text_vocab_size")
    return list(ids.values())


def check_rows(ids: Mapping[str, int], num_rows: int, field: str) -> None:
    """Check that ids are in range of an embedding.

    Raises:
        LoadError: One is out of range.
    """
    for name, index in ids.items():
        if index >= num_rows:
            raise LoadError(
                f"config.json: {name} is {index}, or missing; it has to be below {field}, which "
                f"is {num_rows}."
            )
