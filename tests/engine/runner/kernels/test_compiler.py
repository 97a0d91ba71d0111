"""What Triton needs of a C compiler, tried with programs that stand for one."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from markupsafe import _speedups

from qwen_tts_api.engine.runner.kernels.compiler import CACHE_VARIABLE, compiler_obstacle

LIBRARY = _speedups.__file__
TO_OUTPUT = 'for last in "$@"; do :; done; '


def have(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have a compiler, and Python's headers."""
    compiler = folder / "cc"
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    compiler.chmod(0o755)
    (folder / "Python.h").touch()
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(folder)})


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f'{TO_OUTPUT} cp {LIBRARY} "$last"', None),
        ("echo 'trial.c:1:10: fatal error: stdlib.h: No such file' >&2; exit 1", "stdlib.h: No"),
        ("exit 3", "fails: 3"),
        (f'{TO_OUTPUT} echo no library >"$last"', "may be mounted noexec)"),
    ],
)
def test_a_compiler_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str | None
) -> None:
    """It may lack the headers of C; and its libraries lie where Triton's cache will be."""
    have(tmp_path, monkeypatch, script)
    cache = tmp_path / "cache"
    cache.mkdir()
    obstacle = compiler_obstacle(cache / "not" / "there")
    assert obstacle is None if reason is None else reason in (obstacle or "")
    assert not list(cache.iterdir())


def test_a_compiler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    have(tmp_path, monkeypatch, "")
    monkeypatch.setenv("CC", "/no/such/cc")
    assert "/no/such/cc" in (compiler_obstacle(tmp_path) or "")


def test_the_cache_that_triton_is_told_of_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(tmp_path, monkeypatch, f'{TO_OUTPUT} echo "$last" >{tmp_path}/seen; cp {LIBRARY} "$last"')
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "named"))
    (tmp_path / "named").mkdir()
    assert compiler_obstacle(tmp_path / "other") is None
    assert (tmp_path / "seen").read_text().startswith(str(tmp_path / "named"))
