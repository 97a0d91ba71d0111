"""Checkpoints of the published sizes with random weights: speed needs no training.

The sizes are those of the published config.json files; the rest of the documents is nano's.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from qwen_tts_api.checkpoints.checkpoint import Checkpoint
from qwen_tts_api.checkpoints.nano import configs, ensure_nano
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.model.weights.placement import Placement

_LAYERS = {"head_dim": 128, "num_attention_heads": 16, "num_key_value_heads": 8}
_CODE_PREDICTOR = {
    **_LAYERS,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "layer_types": ["full_attention"] * 5,
    "num_hidden_layers": 5,
}
_TALKER = {**_LAYERS, "num_hidden_layers": 28, "text_hidden_size": 2048, "text_vocab_size": 151_936}
_TALKER_BY_SIZE = {
    "0.6b": {"hidden_size": 1024, "intermediate_size": 3072},
    "1.7b": {"hidden_size": 2048, "intermediate_size": 6144},
}
_CODEC_DECODER = {
    "latent_dim": 1024,
    "codebook_dim": 512,
    "decoder_dim": 1536,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "head_dim": 64,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "num_hidden_layers": 8,
    "vector_quantization_hidden_dimension": 512,
}
_CODEC_ENCODER = {
    "codebook_dim": 256,
    "head_dim": 64,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "num_filters": 64,
    "num_hidden_layers": 8,
    "num_key_value_heads": 8,
    "upsample_groups": 512,
    "vector_quantization_hidden_dimension": 256,
}

SIZES = ("nano", *_TALKER_BY_SIZE)


def write_checkpoint(size: str, folder: Path, device: str, dtype: torch.dtype) -> None:
    """Write a CustomVoice checkpoint of a published size, or nano; sample weights on a device."""
    with tempfile.TemporaryDirectory() as cache:
        shutil.copytree(ensure_nano("nano", Path(cache)), folder, dirs_exist_ok=True)
    if size == "nano":
        return
    with torch.device("meta"):
        model, codec = upstream_modules(size)
    for module, document, part in (
        (model, model_document(size), folder),
        (codec, codec_document(size), folder / "speech_tokenizer"),
    ):
        (part / "config.json").write_text(json.dumps(document))
        tensors = _random_tensors(module, device, dtype)
        save_file(tensors, part / "model.safetensors", metadata={"format": "pt"})


def ensure_checkpoint(size: str, folder: Path, device: str, dtype: torch.dtype) -> None:
    """Write a checkpoint, unless there is a complete one."""
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            write_checkpoint(size, Path(scratch) / "whole", device, dtype)
            (Path(scratch) / "whole").rename(folder)


def empty_model(
    size: str,
    nano: Path,
    device: str = "meta",
    mode: AbstractContextManager[Any] | None = None,
) -> LoadedModel:
    """Return a model of a published size without numbers.

    Args:
        size: Which.
        nano: A miniature checkpoint of the same kind, whose card and tokenizer it gets.
        device: The meta device; or any other, with a mode.
        mode: Makes fake tensors of what is allocated within it.
    """
    miniature = Checkpoint.read(nano)
    card = miniature.card
    placement = Placement(device, "bfloat16", "sdpa")
    with torch.device("meta"):
        model, codec = upstream_modules(size, card.kind)

    def parameters(module: torch.nn.Module) -> Parameters:
        tensors = {
            name: torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
            for name, tensor in module.state_dict().items()
        }
        return Parameters(tensors, placement.device, placement.torch_dtype)

    with mode or nullcontext():
        return LoadedModel.read(
            card,
            placement,
            miniature.tokenizer,
            (parameters(model), model_document(size, card.kind)),
            (parameters(codec), codec_document(size)),
        )


def upstream_modules(
    size: str, kind: str = "custom_voice"
) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Return upstream's model and its codec, with whatever weights they begin with."""
    core = import_qwen_tts().core
    # Upstream's classes write into the documents that they are given.
    config = core.models.Qwen3TTSConfig(**model_document(size, kind))
    codec_config = core.Qwen3TTSTokenizerV2Config(**codec_document(size))
    model = core.models.Qwen3TTSForConditionalGeneration(config)
    return model, core.Qwen3TTSTokenizerV2Model(codec_config)


def model_document(size: str, kind: str = "custom_voice") -> dict[str, Any]:
    """Return the config.json of a checkpoint of a size and a kind."""
    document = copy.deepcopy(configs.model_config(kind))
    if size == "nano":
        return document
    talker = document["talker_config"]
    talker |= _TALKER | _TALKER_BY_SIZE[size]
    talker["rope_scaling"]["mrope_section"] = [24, 20, 20]
    talker["code_predictor_config"] |= _CODE_PREDICTOR
    if kind == "base":  # all else is the default of upstream's class
        document["speaker_encoder_config"] = {"enc_dim": talker["hidden_size"]}
    return document


def codec_document(size: str) -> dict[str, Any]:
    """Return the config.json of a size's codec."""
    document = copy.deepcopy(configs.SPEECH_TOKENIZER)
    if size == "nano":
        return document
    document["decoder_config"] |= _CODEC_DECODER
    document["encoder_config"] |= _CODEC_ENCODER
    return document


def _random_tensors(
    module: torch.nn.Module, device: str, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Sample weights that keep activations finite, on a device, and copy them to the CPU."""
    tensors = {}
    for name, empty in module.state_dict().items():
        tensor = torch.empty(empty.shape, device=device)
        is_norm = "norm" in name and tensor.ndim == 1 and name.endswith("weight")
        if is_norm or name.endswith("cluster_usage"):
            tensor.fill_(1)
        elif tensor.ndim == 1:
            tensor.normal_(0, 0.02)
        else:
            tensor.normal_(0, tensor[0].numel() ** -0.5)
        tensors[name] = tensor.to("cpu", dtype)
    return tensors
