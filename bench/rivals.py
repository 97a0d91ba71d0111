"""Other engines for the same weights, each in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from bench.published_sizes import codec_document, model_document
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.nano import ensure_nano

SCRIPT = Path(__file__).with_name("faster_qwen3_tts.py")
TIMEOUT_S = 600


def measure_faster_qwen3_tts(
    python: str, model: LoadedModel, size: str, frames: int, runs: int = 3
) -> dict[str, Any]:
    """Measure faster-qwen3-tts with `python`, which has it installed, on this very model.

    Where it cannot be measured, the result says why.
    """
    if not python:
        return {"not measured": "no interpreter was given (--faster-qwen3-tts)"}
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(model, size, Path(folder))
        command = [python, str(SCRIPT), folder, str(frames), str(runs)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return {"not measured": str(error)}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"not measured": (done.stderr.strip() or "it printed nothing").splitlines()[-1]}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def write_checkpoint(model: LoadedModel, size: str, folder: Path) -> None:
    """Write a model of `published_sizes` as a checkpoint in the published format."""
    with tempfile.TemporaryDirectory() as cache:
        shutil.copytree(ensure_nano("nano", Path(cache)), folder, dirs_exist_ok=True)
    upstream, codec = model.wrapper.model, model.wrapper.model.speech_tokenizer.model
    for module, document, part in (
        (upstream, model_document(size), folder),
        (codec, codec_document(size), folder / "speech_tokenizer"),
    ):
        (part / "config.json").write_text(json.dumps(document))
        save_file(_own_tensors(module), part / "model.safetensors", metadata={"format": "pt"})


def _own_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a module's tensors, each in memory of its own, which safetensors insists on."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in module.state_dict().items()
    }
