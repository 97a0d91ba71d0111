"""A model of the published size with random weights, made in memory: speed needs no training.

The sizes are those of the published config.json files; the rest of the documents is nano's.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch

from qwen_tts_api.model.checkpoint import ModelCard, read_card
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.nano import configs, ensure_nano
from qwen_tts_api.model.placement import Placement
from qwen_tts_api.model.qwen_tts_import import import_qwen_tts

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

SIZES = ("nano", *_TALKER_BY_SIZE)


def random_model(size: str, placement: Placement) -> LoadedModel:
    """Return a CustomVoice model of a published size (or nano itself), ready to be run."""
    with tempfile.TemporaryDirectory() as cache:
        folder = ensure_nano("nano", Path(cache))
        card = read_card(folder)
        if size == "nano":
            return LoadedModel.load(folder, card, placement)
        nano = import_qwen_tts().Qwen3TTSModel.from_pretrained(
            str(folder), device_map="cpu", dtype=torch.float32, attn_implementation="sdpa"
        )
    return _published(size, placement, card, nano)


def _published(size: str, placement: Placement, card: ModelCard, nano: Any) -> LoadedModel:
    qwen_tts = import_qwen_tts()
    core = qwen_tts.core
    config = core.models.Qwen3TTSConfig(**model_document(size))
    config._attn_implementation = placement.attention
    codec_config = core.Qwen3TTSTokenizerV2Config(**codec_document(size))
    codec_config._attn_implementation = placement.attention
    default = torch.get_default_dtype()
    torch.set_default_dtype(placement.torch_dtype)
    try:
        with torch.device(placement.device):
            model = core.models.Qwen3TTSForConditionalGeneration(config).eval()
            codec = core.Qwen3TTSTokenizerV2Model(codec_config).eval()
    finally:
        torch.set_default_dtype(default)
    for module in (model, codec):
        _randomise(module)
    tokenizer = nano.model.speech_tokenizer
    tokenizer.model, tokenizer.config = codec, codec_config
    tokenizer.device = torch.device(placement.device)
    model.load_speech_tokenizer(tokenizer)
    model.load_generate_config(dict(configs.GENERATION))
    wrapper = qwen_tts.Qwen3TTSModel(model, nano.processor, model.generate_config)
    return LoadedModel.take_over(wrapper, card, placement)


def model_document(size: str) -> dict[str, Any]:
    """Return the config.json of a CustomVoice checkpoint of a size."""
    document = copy.deepcopy(configs.model_config("custom_voice"))
    if size == "nano":
        return document
    talker = document["talker_config"]
    talker |= _TALKER | _TALKER_BY_SIZE[size]
    talker["rope_scaling"]["mrope_section"] = [24, 20, 20]
    talker["code_predictor_config"] |= _CODE_PREDICTOR
    return document


def codec_document(size: str) -> dict[str, Any]:
    """Return the config.json of a size's codec, with nano's encoder, which is not measured."""
    document = copy.deepcopy(configs.SPEECH_TOKENIZER)
    if size == "nano":
        return document
    document["decoder_config"] |= _CODEC_DECODER
    return document


def _randomise(module: torch.nn.Module) -> None:
    """Draw weights that keep signals finite, on the device itself."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            is_norm = "norm" in name and parameter.ndim == 1 and name.endswith("weight")
            if is_norm or name.endswith("cluster_usage"):
                parameter.fill_(1)
            elif parameter.ndim == 1:
                parameter.normal_(0, 0.02)
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
