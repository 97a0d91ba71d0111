"""Fixtures: checkpoints that upstream and we both run, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.checkpoints import load_nano, odd_codec, odd_model
from tests.model.generation import Case, Checkpoint


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread: these tensors are too small for several to be of use."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def nano_wrapper(nano_cache: Path) -> Any:
    """Return nano as a `Qwen3TTSModel`, with its tokenizer and codec."""
    return load_nano("nano", nano_cache)


@pytest.fixture(scope="session")
def nano(nano_wrapper: Any) -> Checkpoint:
    """Return the kind custom_voice."""
    return Checkpoint.of(nano_wrapper.model)


@pytest.fixture(scope="session")
def nano_design(nano_cache: Path) -> Checkpoint:
    """Return the kind voice_design."""
    return Checkpoint.of(load_nano("nano-design", nano_cache).model)


@pytest.fixture(scope="session")
def nano_base(nano_cache: Path) -> Checkpoint:
    """Return the kind base."""
    return Checkpoint.of(load_nano("nano-base", nano_cache).model)


@pytest.fixture(scope="session")
def odd() -> Checkpoint:
    """Return the checkpoint that is different in every size."""
    return Checkpoint.of(odd_model())


@pytest.fixture(scope="session")
def odd_decoder() -> Any:
    """Return the odd checkpoint's `Qwen3TTSTokenizerV2Decoder`."""
    return odd_codec()


@pytest.fixture(scope="session")
def say(nano_wrapper: Any) -> Any:
    """Return a function that tokenizes a text in one of the templates, `[T]` int64."""

    def tokenize(template: str, text: str) -> torch.Tensor:
        [ids] = nano_wrapper._tokenize_texts([template.format(text)])
        result: torch.Tensor = ids[0]
        return result

    return tokenize


def random_text(length: int, seed: int = 0) -> torch.Tensor:
    """Return ids that are valid for the odd checkpoint: 8 of a template's and `length` of text."""
    generator = torch.Generator().manual_seed(100 * length + seed)
    return torch.randint(0, 290, (length + 8,), generator=generator)


def odd_case(length: int, **fields: Any) -> Case:
    """Return a case for the odd checkpoint."""
    return Case(random_text(length), **fields)
