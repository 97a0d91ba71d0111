"""Which build of PyTorch is installed, by what is there and what the driver can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import install

OLD, NEW = "550.54.15", "580.159.04"
SMI = """#!/bin/sh
case $1 in
    -L) echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)' ;;
    --query-gpu=driver_version) echo "{}" ;;
esac
"""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Return what pip is told."""
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(install, "_pip", lambda *arguments: told.append(arguments))
    monkeypatch.delenv(install.OTHER_INDEX, raising=False)
    return told


def have(monkeypatch: pytest.MonkeyPatch, folder: Path, installed: str | None, driver: str) -> None:
    """Have a PyTorch, and the driver of an NVIDIA GPU."""
    monkeypatch.setattr(install, "_installed_version", lambda package: installed)
    program = folder / "nvidia-smi"
    program.write_text(SMI.format(driver))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_gpu_gets_the_build_with_cuda(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commands: list[tuple[str, ...]]
) -> None:
    have(monkeypatch, tmp_path, "2.13.0+cpu", NEW)
    assert install.choose_build("auto") == ("cuda", "GPU 0: NVIDIA H200")
    install.install_pytorch("cuda", "as asked")
    assert [command[3] for command in commands] == ["torch==2.13.0,!=2.13.0+cpu"]


@pytest.mark.parametrize(("driver", "is_old"), [(OLD, True), (NEW, False), ("[N/A]", False)])
def test_a_driver_that_is_too_old_is_told_of_before_the_download(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    commands: list[tuple[str, ...]],
    driver: str,
    is_old: bool,
) -> None:
    have(monkeypatch, tmp_path, None, driver)
    install.install_pytorch("cuda", "as asked")
    printed = capsys.readouterr().out
    assert printed.startswith(f"warning: the driver is {OLD}, ") == is_old
    assert ("/whl/cu126 make setup TORCH=cuda\n" in printed) == is_old
    assert len(commands) == 1


def test_what_has_cuda_stays_unless_another_index_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    commands: list[tuple[str, ...]],
) -> None:
    """Whose build may be for a CUDA that this driver can run."""
    have(monkeypatch, tmp_path, "2.13.0", OLD)
    install.install_pytorch("cuda", "as asked")
    assert commands == []
    monkeypatch.setenv(install.OTHER_INDEX, "https://download.pytorch.org/whl/cu126")
    install.install_pytorch("cuda", "as asked")
    assert [command[:2] for command in commands] == [("install", "--upgrade")]
    assert "warning" not in capsys.readouterr().out
