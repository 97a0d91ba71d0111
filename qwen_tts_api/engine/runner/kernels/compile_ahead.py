"""Compile Triton's functions on all cores, before they are launched for the first time.

A launch compiles its function by itself, and waits for that: sixty of them, one after another, are
most of a minute of a first start. Triton asks a hook before it compiles; the hook can keep it from
doing so, and is given what `JITFunction.preload` compiles later, in any thread. That leaves the
kernel in memory, and on disk for the next start. Meanwhile nothing may be launched: a kernel that
was compiled already would read what one that was not has not written.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

logger = logging.getLogger(__name__)

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Specialization:
    """A function for one kind of arguments.

    Attributes:
        function: The `triton.JITFunction`.
        data: What its `preload` takes.
    """

    function: Any
    data: str


def compiles() -> bool:
    """Whether Triton compiles at all here; its interpreter does not."""
    try:
        from triton import knobs
    except ImportError:
        return False
    return not knobs.runtime.interpret


@contextmanager
def collected() -> Iterator[Collection[Specialization]]:
    """Collect what this thread's launches in the block would compile first; they do nothing else.

    Other threads' launches are as ever.
    """
    from triton import knobs
    from triton.runtime.jit import JITFunction

    found: dict[Specialization, None] = {}
    thread, launch = threading.get_ident(), JITFunction.run

    def run(function: Any, *args: Any, warmup: bool, **kwargs: Any) -> Any:
        is_dry = warmup or threading.get_ident() == thread
        return launch(function, *args, warmup=is_dry, **kwargs)

    def collect(*, fn: Any, compile: dict[str, Any], **_: Any) -> bool:
        if threading.get_ident() != thread:
            return False
        found[Specialization(fn.jit_function, compile["specialization_data"])] = None
        return True

    with _one_at_a_time:
        before = knobs.runtime.jit_cache_hook
        knobs.runtime.jit_cache_hook, JITFunction.run = collect, run
        try:
            yield found
        finally:
            knobs.runtime.jit_cache_hook, JITFunction.run = before, launch


@contextmanager
def parsed_one_by_one() -> Iterator[None]:
    """Let threads compile side by side, but parse one after another.

    Two that parse at a time can fail (seen with Python 3.11): `SystemError: AST constructor
    recursion depth mismatch`. It takes a thousandth of the time.
    """
    from triton.runtime.jit import JITFunction

    owner: Any = next(each for each in JITFunction.__mro__ if "parse" in vars(each))
    parse, lock = owner.parse, threading.Lock()

    def parse_alone(function: Any) -> Any:
        with lock:
            return parse(function)

    owner.parse = parse_alone
    try:
        yield
    finally:
        owner.parse = parse


def compile_all(specializations: Collection[Specialization], device: str) -> None:
    """Compile on all cores, for a CUDA device.

    What cannot be compiled is left out: the launch raises the error again.
    """

    def compile_one(specialization: Specialization) -> None:
        try:
            specialization.function.preload(specialization.data)
        except Exception:  # a boundary: whatever a compiler raises
            name = specialization.function.__name__
            logger.debug("compiling %s ahead failed", name, exc_info=True)

    began, num_threads = time.monotonic(), len(os.sched_getaffinity(0))
    # Triton compiles for the device that is the thread's.
    pool = ThreadPoolExecutor(num_threads, initializer=torch.cuda.set_device, initargs=(device,))
    with parsed_one_by_one(), pool:
        list(pool.map(compile_one, specializations))
    seconds = time.monotonic() - began
    logger.info("compiled %d kernels in %.1f s", len(specializations), seconds)
