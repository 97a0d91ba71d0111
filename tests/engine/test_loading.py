"""From a model's id to a runner, in a fresh process: what that imports, and how it leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import gc, sys
from collections import Counter
from pathlib import Path
opened = Counter()

def count(event, arguments):
    if event == "open" and str(arguments[0]).endswith("config.json"):
        opened["/".join(Path(arguments[0]).parts[-2:])] += 1

from qwen_tts_api.checkpoints.card import locate
from qwen_tts_api.engine.loading import LoadOptions, load_runner
options = LoadOptions("cpu", "float32", "sdpa", Path(sys.argv[2]), 4, 512, False)
folder = locate(sys.argv[1], Path(sys.argv[2]))
sys.addaudithook(count)
runner = load_runner(sys.argv[1], options, lambda card: None, lambda doing: None, lambda: None)
print(sorted({"transformers", "qwen_tts", "librosa", "torch._dynamo"} & set(sys.modules)))
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
print(sorted(opened.values()), opened["speech_tokenizer/config.json"])
"""


THREADS = """
import sys, threading, torch
from pathlib import Path
from qwen_tts_api.engine import loading
options = loading.LoadOptions("cpu", "float32", "sdpa", Path(sys.argv[2]), 1, 512, False)
torch.set_num_threads(3)  # whatever the cores

def serve(number, one_thread_bytes):
    loading.ONE_THREAD_BYTES = one_thread_bytes
    loading.load_runner(sys.argv[1], options, lambda card: None, lambda doing: None, lambda: None)
    print(number, torch.get_num_threads())

def in_new_thread(*arguments):
    thread = threading.Thread(target=serve, args=arguments)
    thread.start()
    thread.join()

in_new_thread("small", 2**40)
in_new_thread("large", 0)
in_new_thread("small again", 2**40)
serve("large, where a small one was", 0)
"""


def run(program: str, model_id: str, cache: Path) -> list[str]:
    command = [sys.executable, "-c", program, model_id, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def load(model_id: str, cache: Path) -> list[str]:
    return run(PROGRAM, model_id, cache)


@pytest.mark.slow
def test_the_embedded_voice_needs_neither_qwen_tts_nor_transformers(tmp_path: Path) -> None:
    """Importing them takes several seconds; what is imported is not looked through for garbage.

    Each document of the checkpoint is opened once: config.json, the tokenizer's, and the codec's.
    """
    assert load("nano-en", tmp_path) == ["[]", "True True", "[1, 1, 1, 1] 1"]


@pytest.mark.slow
def test_cloning_needs_them(nano_cache: Path) -> None:
    """Its encoders are theirs."""
    assert "qwen_tts" in load("nano-base", nano_cache)[0]


@pytest.mark.slow
def test_each_model_computes_in_its_own_number_of_threads(nano_cache: Path) -> None:
    """One for a small model, and as many as were set for a large one after it."""
    assert run(THREADS, "nano", nano_cache) == [
        "small 1",
        "large 3",
        "small again 1",
        "large, where a small one was 3",
    ]
