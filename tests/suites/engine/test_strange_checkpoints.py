"""Checkpoints that contradict themselves, or say what no tensor can hold: refused before a place.

With the sentence of doctor, and in no more time and memory than any other.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_tts_api.checkpoints import checkpoint
from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.errors import LoadError
from tests.suites.engine.test_checkpoint_variants import (
    NORM,
    WEIGHTS,
    Change,
    codec,
    doctor_says,
    edit,
    load,
    never,
    shard,
    talker,
)

HEADER = "model.safetensors is not a safetensors file"


def header(change: Callable[[Any], object]) -> Change:
    """Return what changes the header of the weights, and leaves their bytes."""

    def apply(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        end = 8 + struct.unpack("<Q", data[:8])[0]
        entries = json.loads(data[8:end])
        change(entries)
        written = json.dumps(entries).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(written)) + written + data[end:])

    return apply


def decoder(**fields: Any) -> Change:
    return edit("speech_tokenizer/config.json", lambda c: c["decoder_config"].update(fields))


def naming(file: str) -> Change:
    """Return what divides the weights, and lets their index name one file more."""

    def apply(folder: Path) -> None:
        shard(folder)
        edit(f"{WEIGHTS}.index.json", lambda index: index["weight_map"].update(x=file))(folder)

    return apply


def two_ropes(config: Any) -> None:
    theta = config["talker_config"]["rope_theta"]
    rope = {"rope_theta": theta, "rope_type": "yarn", "factor": 4}
    config["talker_config"] |= {"rope_scaling": {"type": "default"}, "rope_parameters": rope}


STRANGE: dict[str, tuple[Change, str]] = {
    "a type that the bytes are not of": (header(lambda h: h[NORM].update(dtype="F64")), HEADER),
    "metadata that are no texts": (header(lambda h: h.update(__metadata__={"a": 1})), HEADER),
    "a shape beyond all": (header(lambda h: h[NORM].update(shape=[10**30])), HEADER),
    "a type nobody knows": (
        header(lambda h: h.update(x={"dtype": "Q4", "shape": [0], "data_offsets": [0, 0]})),
        HEADER,
    ),
    "a shard that is elsewhere": (naming("/etc/passwd"), "/etc/passwd, which is outside"),
    "a shard above": (naming("../x.safetensors"), "../x.safetensors, which is outside"),
    "countless layers": (talker(num_hidden_layers=10**9), "weights have no talker.model.layers.2"),
    "too few layers": (talker(num_hidden_layers=1), "asks for 1 layers (num_hidden_layers)"),
    "too few layers in the codec": (decoder(num_hidden_layers=1), "decoder.pre_transformer.layers"),
    "an integer beyond all": (talker(vocab_size=10**30), "vocab_size 1000"),
    "a number beyond all": (talker(rms_norm_eps=1e300), "rms_norm_eps 1e+300"),
    "an integer beyond numbers": (talker(rope_theta=10**400), "rope_theta 1000"),
    "a window beyond memory": (decoder(sliding_window=10**9), "integer from 2 to 4096"),
    "a window of nothing": (decoder(sliding_window=1), "integer from 2 to 4096"),
    "layers of a number": (talker(layer_types=5), "layer_types 5; it has to be a list, or null"),
    "a factor of what": (talker(rope_scaling={"factor": 4}), "rope_type None"),
    "half a character": (talker(spk_id={"X\ud800": 3000}), "the name 'X\\ud800'"),
    "a name of two lines": (talker(spk_id={"a\nb": 3000}), "spk_id has the name 'a\\nb'"),
    "no name": (talker(codec_language_id={" ": 2050}), "codec_language_id has the name ' '"),
    "two ropes": (edit("config.json", two_ropes), "in rope_parameters: one of them has to go"),
}

STRANGE_BASE: dict[str, tuple[Change, str]] = {
    "a text of code groups": (codec(encoder_valid_num_quantizers="16"), "quantizers '16'"),
    "too few code groups": (codec(encoder_valid_num_quantizers=8), "quantizers 8; served is 16"),
    "other frames": (codec(encode_downsample_rate=960), "encode_downsample_rate 960"),
    "recordings of another rate": (codec(input_sample_rate=16000), "input_sample_rate 16000"),
    "speakers of another rate": (
        edit("config.json", lambda c: c["speaker_encoder_config"].update(sample_rate=16000)),
        "sample_rate 16000",
    ),
    "a preprocessor of another rate": (
        edit("speech_tokenizer/preprocessor_config.json", lambda c: c.update(sampling_rate=8000)),
        "sampling_rate 8000",
    ),
}


@pytest.mark.parametrize(
    ("model", "name"),
    [*(("nano", name) for name in STRANGE), *(("nano-base", name) for name in STRANGE_BASE)],
)
def test_it_is_refused_in_one_sentence(tmp_path: Path, model: str, name: str) -> None:
    """Before any other model makes room for it."""
    folder = shutil.copytree(ensure_nano(model, DEFAULT_CACHE_DIR), tmp_path / "strange")
    change, sentence = (STRANGE | STRANGE_BASE)[name]
    change(folder)
    with pytest.raises(LoadError) as raised:
        load(str(folder), never)
    said = str(raised.value)
    assert sentence in said
    assert "\n" not in said
    assert doctor_says(str(folder)) == (False, said)


def test_whatever_a_library_raises_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ensure_nano("nano", DEFAULT_CACHE_DIR)

    def fail(folder: Path, model: Document) -> None:
        raise TypeError("unheard of\nat line 3")

    monkeypatch.setattr(checkpoint, "load_tokenizer", fail)
    with pytest.raises(LoadError) as raised:
        load(str(folder), never)
    assert str(raised.value) == f"{folder} cannot be served: TypeError: unheard of."
