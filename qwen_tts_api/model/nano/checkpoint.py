"""Writing a nano checkpoint's folder: the JSON documents, the tokenizer and the two weight files."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from qwen_tts_api.model.nano import configs, duration, tokenizer
from qwen_tts_api.model.nano.weights import Shape, Weights, draw_all
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts


def write_checkpoint(folder: Path, tts_model_type: str) -> None:
    """Write all files of a checkpoint into the existing, empty `folder`.

    The talker is stored in bfloat16 and the speech tokenizer in float32, as published.

    Raises OSError if a file cannot be written.
    """
    config = configs.model_config(tts_model_type)
    talker, speech_tokenizer = _tensor_shapes(config)
    weights = draw_all(talker)
    duration.install(weights, config)

    codec = folder / "speech_tokenizer"
    codec.mkdir()
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", configs.GENERATION)
    _write_json(folder / "preprocessor_config.json", configs.PREPROCESSOR)
    _write_json(folder / "tokenizer_config.json", tokenizer.tokenizer_config())
    _write_json(folder / "vocab.json", tokenizer.vocabulary())
    (folder / "merges.txt").write_text(tokenizer.merges_text(), encoding="utf-8")
    _write_weights(folder / "model.safetensors", weights, torch.bfloat16)
    _write_json(codec / "config.json", configs.SPEECH_TOKENIZER)
    _write_json(codec / "preprocessor_config.json", configs.SPEECH_TOKENIZER_PREPROCESSOR)
    _write_weights(codec / "model.safetensors", draw_all(speech_tokenizer), torch.float32)


def _tensor_shapes(config: dict[str, Any]) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Ask upstream's own modules which tensors the two weight files must hold.

    Built on the meta device, they allocate nothing. The documents are copied because upstream's
    configuration classes write into what they are given.
    """
    config, codec_config = deepcopy(config), deepcopy(configs.SPEECH_TOKENIZER)
    core = import_qwen_tts().core
    with torch.device("meta"):
        model = core.models.Qwen3TTSForConditionalGeneration(core.models.Qwen3TTSConfig(**config))
        codec = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**codec_config))
    return _shapes(model), _shapes(codec)


def _shapes(module: torch.nn.Module) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _write_weights(path: Path, weights: Weights, dtype: torch.dtype) -> None:
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}
    # transformers insists on being told that the tensors are PyTorch's
    path.write_bytes(save(tensors, metadata={"format": "pt"}))


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
