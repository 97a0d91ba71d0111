"""Importing `qwen_tts` with and without a `torchaudio` that works."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts

# What the real package does while it is imported, and one thing of each sort that it does not.
FAKE_QWEN_TTS = """
    import logging, os, sys, time
    import importlib.util
    time.sleep(0.05)  # long enough for another thread to arrive
    import torchaudio.compliance.kaldi as kaldi
    found = importlib.util.find_spec("torchaudio") is not None
    print("\\n****\\nWarning: flash-attn is not installed. Will only run ...\\n****\\n ")
    print("something else")
    probe = os.popen("sox -h")
    lines = probe.readlines()
    probe.close()
    logging.getLogger("sox").warning("SoX could not be found!\\n\\n    If you do not have SoX")
    logging.getLogger("sox").warning("something else")
"""

BROKEN_TORCHAUDIO = {
    "absent": "raise ImportError('No module named torchaudio')",
    "built for CUDA": "raise OSError('libcudart.so.13: cannot open shared object file')",
    "of another version": "raise RuntimeError('PyTorch has CUDA 13, torchaudio has 12')",
}

Write = Callable[[str, str], None]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Return a function that puts a module in front of the installed ones, for one test."""
    names = ("qwen_tts", "torchaudio")

    def ours(module: str) -> bool:
        return module.split(".")[0] in names

    before = {name: sys.modules.pop(name) for name in list(sys.modules) if ours(name)}
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> None:
        path = tmp_path.joinpath(*name.split(".")) / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))

    write("torchaudio", BROKEN_TORCHAUDIO["absent"])
    yield write
    for name in [name for name in sys.modules if ours(name)]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize("source", BROKEN_TORCHAUDIO.values(), ids=BROKEN_TORCHAUDIO)
def test_a_stand_in_takes_the_place_of_a_broken_torchaudio(
    write_module: Write, source: str
) -> None:
    """During the import only; what it offers says why it does not work."""
    write_module("torchaudio", source)
    write_module("qwen_tts", FAKE_QWEN_TTS)
    qwen_tts = import_qwen_tts()
    assert qwen_tts.found
    with pytest.raises(RuntimeError, match=r"torchaudio\.compliance\.kaldi\.fbank was called"):
        qwen_tts.kaldi.fbank("audio", num_mel_bins=80)
    assert not any(name.startswith("torchaudio") for name in sys.modules)


def test_a_torchaudio_that_works_is_used(write_module: Write) -> None:
    write_module("torchaudio", "")
    write_module("torchaudio.compliance", "")
    write_module("torchaudio.compliance.kaldi", "def fbank(): return 'features'")
    write_module("qwen_tts", FAKE_QWEN_TTS)
    assert import_qwen_tts().kaldi.fbank() == "features"
    assert "torchaudio.compliance.kaldi" in sys.modules


def test_only_the_known_noise_is_held_back(
    write_module: Write, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_module("qwen_tts", FAKE_QWEN_TTS)
    import_qwen_tts()
    print("afterwards")
    logging.getLogger("sox").warning("SoX could not be found! (afterwards)")
    captured = capfd.readouterr()
    assert captured.out == "something else\nafterwards\n"
    assert captured.err == ""
    assert caplog.messages == ["something else", "SoX could not be found! (afterwards)"]


def test_an_import_that_fails_leaves_no_trace(write_module: Write) -> None:
    """The error is the import's own, and it can be tried again."""
    popen, stdout = os.popen, sys.stdout
    write_module("qwen_tts", FAKE_QWEN_TTS + "    import no_such_module")
    with pytest.raises(ImportError, match="no_such_module"):
        import_qwen_tts()
    assert not any(name.startswith(("torchaudio", "qwen_tts.")) for name in sys.modules)
    assert (os.popen, sys.stdout) == (popen, stdout)
    assert logging.getLogger("sox").filters == []


def test_every_thread_gets_the_same_module(write_module: Write) -> None:
    """Which was executed once."""
    write_module("qwen_tts", FAKE_QWEN_TTS)
    modules: list[object] = []
    threads = [threading.Thread(target=lambda: modules.append(import_qwen_tts())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modules == [import_qwen_tts()] * 4


@pytest.mark.slow
def test_the_real_package_is_imported_in_silence() -> None:
    """In a fresh process; transformers does not take the stand-in for an installed torchaudio."""
    code = """
        import sys
        from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
        qwen_tts = import_qwen_tts()
        assert qwen_tts is import_qwen_tts() is sys.modules["qwen_tts"]
        assert qwen_tts.Qwen3TTSModel.from_pretrained
        from transformers.utils import is_torchaudio_available
        assert is_torchaudio_available() == ("torchaudio" in sys.modules)
    """
    result = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
