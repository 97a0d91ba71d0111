"""Checks of the served models: their files, the defaults of the settings, memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qwen_tts_api.checkpoints.card import locate_here
from qwen_tts_api.checkpoints.documents import read_json
from qwen_tts_api.checkpoints.files import DamagedFile, num_parameters, unfinished_downloads
from qwen_tts_api.checkpoints.transformer_config import (
    TALKER,
    TALKER_DEFAULTS,
    TransformerConfig,
    completed,
)
from qwen_tts_api.cli.doctor.findings import Finding, error, ok, warning
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.errors import ConfigError, LoadError

GIB = 2**30

BYTES_OF = {"bfloat16": 2, "float16": 2, "float32": 4}


def check_files(subject: Subject) -> Iterator[Finding]:
    """Check that every served model is present, complete, and of a supported kind."""
    for model_id in dict.fromkeys(subject.config.served_models.values()):
        yield from _check_model(model_id, subject)


def _check_model(model_id: str, subject: Subject) -> Iterator[Finding]:
    from qwen_tts_api.model.loaded import judge

    try:
        folder = locate_here(model_id, subject.config.cache_dir)
        card = judge(folder).card if folder else None
    except LoadError as failure:
        yield error(str(failure), "")
        return
    again = f"Run `qwen-tts-api download {model_id}`"
    if folder is None or card is None:
        offline = subject.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
        if offline:
            yield error(
                f"{model_id} is not in the hub's cache, and HF_HUB_OFFLINE is set.",
                f"{again} where there is a network, and bring the cache along (HF_HOME).",
            )
        else:
            yield warning(f"{model_id} is not here: the first start downloads it.", f"{again}.")
        return
    yield ok(f"{model_id}: {card.kind}, {len(card.speakers)} speakers, in {folder}")
    for remnant in unfinished_downloads(folder):
        yield warning(remnant, f"{again}, or delete it.")


def check_defaults(subject: Subject) -> Iterator[Finding]:
    """Check that the default model has the default speaker and language."""
    from qwen_tts_api.service.assembly import check_defaults as check_model_defaults

    if subject.card is None:
        return  # reported by `check_files`
    try:
        substitute = check_model_defaults(subject.config, subject.card)
    except ConfigError as failure:
        yield error(str(failure), "")
        return
    if substitute is None:
        yield ok("speaker and language are the model's")
    else:
        yield warning(
            f"The model has no speaker {subject.config.default_speaker}; the default is "
            f"{substitute}.",
            "Set QWEN_DEFAULT_SPEAKER.",
        )


def check_memory(subject: Subject) -> Iterator[Finding]:
    """Check that the weights and QWEN_MAX_STREAMS utterances fit into memory."""
    from qwen_tts_api.engine.memory.planning import Costs, available_bytes, size_that_fits
    from qwen_tts_api.model.talker_cache import CacheSize

    config = subject.config
    if subject.folder is None or (config.device != "cpu" and subject.gpu is None):
        return  # reported by `check_files` or `check_device`
    try:
        weights = num_parameters(subject.folder) * BYTES_OF[config.dtype]
        position = numbers_per_position(subject.folder) * BYTES_OF[config.dtype]
    except (DamagedFile, LoadError):
        return  # reported by `check_files`
    free = available_bytes(config.device)
    wanted = CacheSize.whole(config.max_streams, config.max_positions)
    costs = Costs(0, position * wanted.page_positions)
    size = size_that_fits(max(0, free - weights), costs, wanted)
    positions = size.num_pages * size.page_positions
    found = (
        f"{weights / GIB:.2f} GiB of weights, {size.max_slots} utterances at once with {positions} "
        f"positions in all, of {position / 2**10:.0f} KiB; {free / GIB:.1f} GiB are free"
    )
    if config.device != "cpu":
        found += ", less what computing takes, which the start measures"
    if size.max_slots < 1:
        yield error(
            f"Not enough for one utterance: {found}.",
            "Stop what else runs there, set QWEN_MAX_POSITIONS lower, or QWEN_MODEL_ID to "
            "a smaller checkpoint.",
        )
    elif size.max_slots < config.max_streams:
        yield warning(
            f"Fewer than QWEN_MAX_STREAMS={config.max_streams} fit: {found}.",
            "Set QWEN_MAX_POSITIONS lower for more of them.",
        )
    else:
        yield ok(found)


def numbers_per_position(folder: Path) -> int:
    """Return the number of elements in the talker's KV cache of one position.

    The codec's state is smaller than the margin that is left free.
    """
    document = read_json(folder / "config.json").get("talker_config")
    talker = TransformerConfig.read(completed(document, TALKER_DEFAULTS, TALKER))
    return 2 * talker.num_layers * talker.heads.num_kv * talker.heads.head_dim
