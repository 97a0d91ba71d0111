"""Create the files of a nano checkpoint: JSON documents, tokenizer, two weight files."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import torch
from safetensors.torch import save

from qwen_tts_api.checkpoints.nano import configs, duration, tokenizer
from qwen_tts_api.checkpoints.nano.weights import Shape, Weights, sample_all
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts


def checkpoint_files(tts_model_type: str) -> dict[str, bytes]:
    """Return the content of a checkpoint's files by path; 21 MB in total.

    The talker is stored in bfloat16 and the speech tokenizer in float32, as published. The result
    is deterministic.
    """
    config = configs.model_config(tts_model_type)
    talker_shapes, codec_shapes = _tensor_shapes(config)
    talker = sample_all(talker_shapes)
    duration.install(talker, config)
    return {
        "config.json": _json(config),
        "generation_config.json": _json(configs.GENERATION),
        "preprocessor_config.json": _json(configs.PREPROCESSOR),
        "tokenizer_config.json": _json(tokenizer.tokenizer_config()),
        "vocab.json": _json(tokenizer.vocabulary()),
        "merges.txt": tokenizer.merges_text().encode(),
        "model.safetensors": _safetensors(talker, torch.bfloat16),
        "speech_tokenizer/config.json": _json(configs.SPEECH_TOKENIZER),
        "speech_tokenizer/preprocessor_config.json": _json(configs.SPEECH_TOKENIZER_PREPROCESSOR),
        "speech_tokenizer/model.safetensors": _safetensors(sample_all(codec_shapes), torch.float32),
    }


def _tensor_shapes(config: dict[str, Any]) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Return the tensor shapes of the two weight files, from upstream's modules.

    The modules are created on the meta device, without memory. The documents are copied, since
    upstream's configuration classes modify their arguments.
    """
    config, codec_config = deepcopy(config), deepcopy(configs.SPEECH_TOKENIZER)
    core = import_qwen_tts().core
    with torch.device("meta"):
        model = core.models.Qwen3TTSForConditionalGeneration(core.models.Qwen3TTSConfig(**config))
        codec = core.Qwen3TTSTokenizerV2Model(core.Qwen3TTSTokenizerV2Config(**codec_config))
    return _shapes(model), _shapes(codec)


def _shapes(module: torch.nn.Module) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def _safetensors(weights: Weights, dtype: torch.dtype) -> bytes:
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}
    # transformers requires this metadata.
    return save(tensors, metadata={"format": "pt"})


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
