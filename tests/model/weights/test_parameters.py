"""Tensors of files, each copied once to where it belongs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from qwen_tts_api.errors import LoadError
from qwen_tts_api.model.weights.parameters import Parameters

TENSORS = {
    "a.up.weight": torch.arange(6.0).view(2, 3),
    "a.down.weight": torch.arange(12.0).view(4, 3),
    "a.down.bias": torch.ones(4),
}


def open_files(folder: Path, dtype: torch.dtype = torch.float32) -> Parameters:
    return Parameters.of_files(folder, "model.safetensors", "cpu", dtype).within("a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a checkpoint in bfloat16."""
    tensors = {name: tensor.bfloat16() for name, tensor in TENSORS.items()}
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Return the folder of one in two files."""
    files = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(TENSORS)}
    for file in set(files.values()):
        part = {name: tensor for name, tensor in TENSORS.items() if files[name] == file}
        save_file(part, tmp_path / file)
    index = json.dumps({"weight_map": files})
    (tmp_path / "model.safetensors.index.json").write_text(index)
    return tmp_path


@pytest.mark.parametrize("layout", ["folder", "shards"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_read_is_what_the_files_have(
    layout: str, dtype: torch.dtype, request: pytest.FixtureRequest
) -> None:
    """Alone, stacked, and side by side, in the dtype of the model."""
    parameters = open_files(request.getfixturevalue(layout), dtype)
    up, down = TENSORS["a.up.weight"].to(dtype), TENSORS["a.down.weight"].to(dtype)
    both = {"up.weight": 2, "down.weight": 4}
    assert torch.equal(parameters.read("up.weight", 2, 3), up)
    assert torch.equal(parameters.linear("down")[1], TENSORS["a.down.bias"].to(dtype))
    assert torch.equal(parameters.stack(both, 3), torch.cat((up, down)))
    matrix = parameters.matrix(both, 3)
    assert torch.equal(matrix, torch.cat((up, down)).t())
    assert matrix.dtype is dtype
    assert matrix.is_contiguous() == (dtype is torch.float32)


def test_a_file_that_is_cut_short_afterwards_is_no_longer_needed(folder: Path) -> None:
    """A mapping of it would end the process."""
    save_file(TENSORS, folder / "model.safetensors")
    parameters = open_files(folder)
    read = parameters.read("up.weight"), parameters.stack({"up.weight": 2}, 3)
    del parameters
    (folder / "model.safetensors").write_bytes(b"")
    for tensor in read:
        assert torch.equal(tensor, TENSORS["a.up.weight"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 4), r"a\.up\.weight is \[2, 3\]; config.json asks for \[2, 4\]"), ((3,), r"for \[3\]")],
)
def test_another_shape_is_refused(folder: Path, shape: tuple[int, ...], message: str) -> None:
    """With the name, what it is, and what it should be."""
    with pytest.raises(LoadError, match=message):
        open_files(folder).read("up.weight", *shape)


def test_another_shape_is_refused_where_tensors_are_packed(folder: Path) -> None:
    for pack in (open_files(folder).stack, open_files(folder).matrix):
        with pytest.raises(LoadError, match=r"a\.down\.weight is \[4, 3\]"):
            pack({"up.weight": 2, "down.weight": 3}, 3)


def test_a_tensor_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(LoadError, match=r"no a\.gate\.weight"):
        open_files(folder).read("gate.weight")


@pytest.mark.parametrize("damage", ["gone", "cut", "no safetensors"])
def test_a_damaged_file_is_named(folder: Path, damage: str) -> None:
    path = folder / "model.safetensors"
    content = {"cut": path.read_bytes()[:-1], "no safetensors": b"version https://git-lfs"}
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[damage])
    with pytest.raises(LoadError, match=r"model\.safetensors cannot be read"):
        open_files(folder)


def test_the_file_itself_goes_before_an_index(shards: Path) -> None:
    """As in transformers."""
    save_file({"a.up.weight": torch.zeros(2, 3)}, shards / "model.safetensors")
    assert not open_files(shards).read("up.weight").any()
