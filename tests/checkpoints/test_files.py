"""Missing, cut and foreign files of a checkpoint are found without loading it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from qwen_tts_api.checkpoints.files import DamagedFile, num_parameters, unfinished_downloads
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.loaded import judge


@pytest.fixture(scope="module")
def whole() -> Path:
    """Return the nano checkpoint."""
    return ensure_nano("nano", DEFAULT_CACHE_DIR)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to be damaged."""
    return shutil.copytree(whole, tmp_path / "checkpoint")


def test_a_whole_checkpoint_has_no_problems(whole: Path) -> None:
    judge(whole)
    assert unfinished_downloads(whole) == []
    files = [whole / "model.safetensors", whole / "speech_tokenizer" / "model.safetensors"]
    tensors = [tensor for file in files for tensor in load_file(file).values()]
    assert num_parameters(whole) == sum(tensor.numel() for tensor in tensors)


def write_index(path: Path, text: str) -> None:
    """Let an index take the place of the file."""
    path.with_name(path.name.removesuffix(".index.json")).unlink()
    path.write_text(text)


def cut(path: Path) -> None:
    """Take the last byte away."""
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("config.json", Path.unlink, "config.json cannot be read: No such file"),
    ("vocab.json", lambda path: path.write_text("{"), "The tokenizer in "),
    ("merges.txt", Path.unlink, "merges.txt cannot be read: No such file"),
    ("model.safetensors", Path.unlink, "model.safetensors is missing."),
    ("model.safetensors", cut, "model.safetensors has "),
    ("model.safetensors", lambda path: path.write_text("version https://git-lfs"), "not a safe"),
    ("model.safetensors", lambda path: path.write_bytes(b"\x05" + bytes(99)), "not a safetensors"),
    ("speech_tokenizer/model.safetensors", cut, "speech_tokenizer/model.safetensors has "),
    (
        "model.safetensors.index.json",
        lambda path: write_index(path, json.dumps({"weight_map": {"a": "model-1.safetensors"}})),
        "model-1.safetensors, which model.safetensors.index.json names, is missing.",
    ),
    ("model.safetensors.index.json", lambda path: write_index(path, "[]"), "not an index"),
]


@pytest.mark.parametrize(("name", "damage", "sentence"), DAMAGES)
def test_damage_is_named(
    folder: Path, name: str, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(folder / name)
    with pytest.raises(LoadError, match=re.escape(sentence)):
        judge(folder)


def test_parameters_of_a_damaged_file_are_not_counted(folder: Path) -> None:
    cut(folder / "model.safetensors")
    with pytest.raises(DamagedFile):
        num_parameters(folder)


@pytest.mark.parametrize(
    "place", ["c/.cache/huggingface/download/x.incomplete", "blobs/y.incomplete"]
)
def test_a_download_that_was_broken_off_is_named(whole: Path, tmp_path: Path, place: str) -> None:
    """In a folder, and in the hub's cache beside the snapshots."""
    folder = tmp_path / ("c" if place.startswith("c") else "snapshots/1")
    shutil.copytree(whole, folder)
    part = tmp_path / place
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(b"half")
    [problem] = unfinished_downloads(folder)
    assert part.name in problem
