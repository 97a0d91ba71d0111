"""A user without a home folder, or with one that cannot be written, as in containers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from huggingface_hub import constants

from qwen_tts_api.checkpoints import qwen_tts_import
from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.cli.doctor.findings import ERROR
from qwen_tts_api.cli.doctor.machine import check_folders
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.config import Config
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from qwen_tts_api.errors import ConfigError

# The tests' own user may write everywhere: so numba's usual places fail as they would otherwise.
HOMELESS = """
import sys
import tempfile
from pathlib import Path
import numba
from numba.core import caching
from qwen_tts_api.checkpoints import qwen_tts_import

def fail(*_):
    raise OSError("read-only")

caching.InTreeCacheLocator.ensure_cache_path = fail
caching.UserWideCacheLocator.ensure_cache_path = fail
qwen_tts_import._usual_places = lambda: [Path("/proc/none")]
ensure_numba_cache = qwen_tts_import.ensure_numba_cache

def ensure():
    ensure_numba_cache()
    numba.config.reload_config()  # as if numba were imported only now

qwen_tts_import.ensure_numba_cache = ensure
"""
LOAD = """
from qwen_tts_api.engine.loading import LoadOptions, load_runner
options = LoadOptions("cpu", "float32", "sdpa", Path("/proc/none"), 1, 512, True)
load_runner(sys.argv[1], options, lambda card: None, lambda doing: None, lambda: None)
print("served")
"""
DOCTOR = """
from qwen_tts_api.cli import main
options = "--device cpu --dtype float32 --ops-bind off --bind 127.0.0.1:0".split()
sys.argv[1:] = ["doctor", "--model", sys.argv[1], *options]
main()
"""


def run(program: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    base = str(ensure_nano("nano-base", DEFAULT_CACHE_DIR))
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "HOME": "/proc/none"}
    return subprocess.run(
        [sys.executable, "-c", HOMELESS + program, base],
        env=environ,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_base_model_is_served(tmp_path: Path) -> None:
    """Its encoders import librosa, which wants to cache what numba compiles."""
    result = run(LOAD, tmp_path)
    assert result.stdout == "served\n", result.stderr


@pytest.mark.slow
def test_doctor_agrees(tmp_path: Path) -> None:
    """With a warning, since voices cannot be registered; and with no traceback."""
    result = run(DOCTOR, tmp_path)
    assert result.stderr == ""
    assert result.returncode == 0, result.stdout
    assert "QWEN_CACHE_DIR=/proc/none/.cache/qwen-tts-api cannot be written" in result.stdout
    assert "\nReady to serve " in result.stdout


def test_nobody_knows_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME is not set, and the user has no account: doctor says what is needed, and goes on."""
    needed = ConfigError("QWEN_CACHE_DIR is needed")
    read = Config.from_env

    def from_env(environ: dict[str, str]) -> Config:
        if "QWEN_CACHE_DIR" not in environ:
            raise needed
        return read(environ)

    monkeypatch.setattr(Config, "from_env", from_env)
    subject = Subject.from_env({"QWEN_MODEL_ID": "nano", "QWEN_MAX_QUEUE": "0"})
    assert subject.wrong_settings[0] == str(needed)
    assert "QWEN_MAX_QUEUE" in subject.wrong_settings[1]
    assert subject.config.model_id == "nano"
    assert Subject.from_env({"QWEN_CACHE_DIR": "/x"}).wrong_settings == ()


def test_the_cache_of_code_is_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies ready under its name, and can be written by others, is not taken."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = qwen_tts_import._private_folder()
    assert own.stat().st_mode & 0o777 == 0o700
    assert qwen_tts_import._private_folder() == own
    own.chmod(0o777)
    assert qwen_tts_import._private_folder() != own


def test_doctor_knows_that_downloads_have_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the hub's cache is in a home that nobody knows, and the model is not here."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    findings = list(check_folders(Subject.from_env({"QWEN_MODEL_ID": "some/model"})))
    assert (findings[-1].level, findings[-1].message[:17]) == (ERROR, "HF_HOME is needed")
