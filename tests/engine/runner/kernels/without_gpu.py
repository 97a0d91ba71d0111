"""A program for the test of `compile_ahead`: an H100 that compiles, and cannot launch anything."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Collection
from typing import Any
from unittest import mock

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from bench.paths import fused_launches
from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.engine.runner.kernels import choice, compile_ahead
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Placement
from tests.tools.small_kernel import double


class Driver:
    """What Triton asks before it compiles."""

    def get_current_target(self) -> GPUTarget:
        """Return what is compiled for."""
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        """Return the one there is."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """Return the default one."""
        return 0


def launch(*sizes: int) -> Collection[compile_ahead.Specialization]:
    """Launch the small kernel, and return what that would compile."""
    with compile_ahead.collected() as found:
        for size in sizes:
            double[(1,)](torch.empty(64), size, BLOCK=64)
    return found


def launch_in_a_thread() -> str:
    """Return what becomes of another thread's launch, while this one's are collected."""
    errors: list[str] = []

    def other() -> None:
        try:
            double[(1,)](torch.empty(64), 1, BLOCK=64)
        except Exception as error:
            errors.append(type(error).__name__)

    with compile_ahead.collected() as found:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    return f"{len(found)} collected, {errors}"


def parsing_at_once(found: Collection[compile_ahead.Specialization]) -> int:
    """Compile on four cores; return how many threads were parsing at a time, at most."""
    parse, parsing, most = JITFunction.parse, list[object](), 0

    def parse_slowly(function: Any) -> Any:
        nonlocal most
        parsing.append(function)
        most = max(most, len(parsing))
        time.sleep(0.01)
        parsing.pop()
        return parse(function)

    with (
        mock.patch.object(torch.cuda, "set_device"),
        mock.patch.object(os, "sched_getaffinity", return_value=range(4)),
        mock.patch.object(JITFunction, "parse", parse_slowly),
    ):
        compile_ahead.compile_all(found, "cuda:0")
    return most


def names_of_comparisons() -> tuple[list[str], list[str]]:
    """Return the functions that a start compiles ahead, and those that a server launches."""
    checkpoint = Checkpoint.read(locate("nano", DEFAULT_CACHE_DIR))
    model = LoadedModel.load(checkpoint, Placement("cpu", "float32", "sdpa"))
    kernels, ahead = choice.fused_kernels(), list[compile_ahead.Specialization]()
    with mock.patch.object(choice, "compile_all", lambda found, device: ahead.extend(found)):
        choice.compile_ahead(model, kernels)
    launched = {
        launch.call.function.__name__
        for launches in fused_launches(model, 4, kernels).values()
        for launch in launches.all
        if launch.call is not None
    }
    return sorted({each.function.__name__ for each in ahead}), sorted(launched)


def main() -> None:
    """Print what the test reads."""
    logging.disable()
    driver.set_active(Driver())
    found = launch(64, 48, 1)
    most = parsing_at_once(found)
    ahead, launched = names_of_comparisons()
    print(
        json.dumps(
            {
                "found": [each.function.__name__ for each in found],
                "parsing at once": most,
                "found when they are compiled": len(launch(64, 48, 1)),
                "launched elsewhere": launch_in_a_thread(),
                "not ahead": sorted(set(launched) - set(ahead)),
                "ahead": ahead,
            }
        )
    )


if __name__ == "__main__":
    main()
