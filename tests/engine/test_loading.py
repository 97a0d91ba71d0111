"""From a model's id to a runner, in a fresh process: what that imports, and how it leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import gc, sys
from pathlib import Path
from qwen_tts_api.engine.loading import LoadOptions, load_runner
options = LoadOptions("cpu", "float32", "sdpa", Path(sys.argv[2]), 4, 512, False)
runner = load_runner(sys.argv[1], options, lambda card: None, lambda doing: None)
print(sorted({"transformers", "qwen_tts", "librosa", "torch._dynamo"} & set(sys.modules)))
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def load(model_id: str, cache: Path) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, model_id, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_embedded_voice_needs_neither_qwen_tts_nor_transformers(tmp_path: Path) -> None:
    """Importing them takes several seconds; what is imported is not looked through for garbage."""
    assert load("nano-en", tmp_path) == ["[]", "True True"]


def test_cloning_needs_them(tmp_path: Path) -> None:
    """Its encoders are theirs."""
    assert "qwen_tts" in load("nano-base", tmp_path)[0]
