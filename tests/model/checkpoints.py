"""Checkpoints to compare with upstream: the nano ones, and one that is different in every size.

The second one, `odd`, has norm weights that are not 1, a codec whose window is short, and a code
predictor as wide as the talker, so that its inputs are not projected (as in the 0.6B checkpoints).
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch

from bench.upstream import load_upstream
from qwen_tts_api.checkpoints.nano import configs, ensure_nano
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.model.codec.loading import read_codec
from qwen_tts_api.model.codec.weights import CodecWeights
from qwen_tts_api.model.weights.parameters import Parameters
from qwen_tts_api.model.weights.placement import Placement

ODD_CODES = 256
_LAYERS = {
    "hidden_size": 48,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500.0,
    "initializer_range": 0.02,
}
_ODD_PREDICTOR = _LAYERS | {
    "head_dim": 16,
    "intermediate_size": 80,
    "layer_types": ["full_attention"] * 3,
    "num_attention_heads": 3,
    "num_code_groups": 6,
    "num_hidden_layers": 3,
    "num_key_value_heads": 3,
    "vocab_size": ODD_CODES,
}
_ODD_TALKER = _LAYERS | {
    "codec_bos_id": ODD_CODES + 1,
    "codec_eos_token_id": ODD_CODES + 7,
    "codec_language_id": {"chinese": 1000, "english": 1001, "beijing_dialect": 1002},
    "codec_nothink_id": ODD_CODES + 3,
    "codec_pad_id": ODD_CODES + 2,
    "codec_think_bos_id": ODD_CODES + 4,
    "codec_think_eos_id": ODD_CODES + 5,
    "codec_think_id": ODD_CODES + 6,
    "head_dim": 24,
    "intermediate_size": 72,
    "num_attention_heads": 6,
    "num_code_groups": 6,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "pad_token_id": ODD_CODES + 2,
    "spk_id": {"dylan": 1010, "ryan": 1011},
    "spk_is_dialect": {"dylan": "beijing_dialect", "ryan": False},
    "text_hidden_size": 40,
    "text_vocab_size": 300,
    "vocab_size": ODD_CODES + 1024,
}
_ODD_CODEC = {
    "codebook_dim": 20,
    "codebook_size": ODD_CODES,
    "decoder_dim": 32,
    "head_dim": 12,
    "hidden_size": 28,
    "intermediate_size": 56,
    "latent_dim": 24,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "num_quantizers": 6,
    "sliding_window": 17,
    "upsample_rates": [5, 3],
    "upsampling_ratios": [2, 3],
}


# Of matrices: heads whose greedy codes are not near ties; a vocoder that is not chaotic.
_GAINS = {"head": 3.0, "decoder.4.conv": 0.05, "conv2": 0.3}


def load_nano(name: str, cache_dir: Path) -> Any:
    """Load a nano checkpoint as a `Qwen3TTSModel` in float32."""
    return load_upstream(ensure_nano(name, cache_dir), Placement("cpu", "float32", "sdpa"))


def parameters_of(module: torch.nn.Module) -> Parameters:
    """Return an upstream module's tensors, to be read in its own dtype."""
    return Parameters(module.state_dict(), "cpu", next(module.parameters()).dtype)


def codec_of(decoder: Any) -> CodecWeights:
    """Return an upstream `Qwen3TTSTokenizerV2Decoder` as ours."""
    return read_codec(parameters_of(decoder), decoder.config.to_dict())


def odd_model() -> Any:
    """Build the `Qwen3TTSForConditionalGeneration` of the odd checkpoint, without a codec."""
    document = copy.deepcopy(configs.model_config("custom_voice"))
    talker = document["talker_config"]
    predictor = talker["code_predictor_config"] | _ODD_PREDICTOR
    rope = talker["rope_scaling"] | {"mrope_section": [4, 4, 4]}
    document |= {"tts_bos_token_id": 297, "tts_eos_token_id": 298, "tts_pad_token_id": 299}
    document["talker_config"] = (
        talker | _ODD_TALKER | {"code_predictor_config": predictor, "rope_scaling": rope}
    )
    models = import_qwen_tts().core.models
    config = models.Qwen3TTSConfig(**document)
    config._attn_implementation = "sdpa"
    model = models.Qwen3TTSForConditionalGeneration(config).eval()
    _randomise(model)
    return model


def odd_codec(**changes: Any) -> Any:
    """Build the `Qwen3TTSTokenizerV2Decoder` of the odd checkpoint, or of a changed one."""
    document = copy.deepcopy(configs.SPEECH_TOKENIZER["decoder_config"]) | _ODD_CODEC | changes
    import_qwen_tts()
    from qwen_tts.core.tokenizer_12hz import modeling_qwen3_tts_tokenizer_v2 as upstream

    config = upstream.Qwen3TTSTokenizerV2DecoderConfig(**document)
    config._attn_implementation = "sdpa"
    decoder = upstream.Qwen3TTSTokenizerV2Decoder._from_config(config).eval()
    _randomise(decoder)
    return decoder


def _randomise(module: torch.nn.Module) -> None:
    """Draw every parameter at a scale that keeps signals alive; no two norms are alike."""
    generator = torch.Generator().manual_seed(4)

    def normal(shape: torch.Size, std: float) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * std

    for name, parameter in module.named_parameters():
        shape = parameter.shape
        if "norm" in name and name.endswith("weight"):
            value = 1 + normal(shape, 0.3)
        elif name.endswith("cluster_usage"):
            value = torch.rand(shape, generator=generator) * 3
        elif name.endswith("embedding.weight") or "embedding_sum" in name:
            value = normal(shape, 1.0)
        elif parameter.ndim == 1:
            value = normal(shape, 0.2)
        elif "codec_embedding" in name:
            value = normal(shape, 0.5)
        else:
            gain = next((gain for part, gain in _GAINS.items() if part in name), 1.0)
            value = normal(shape, gain / math.sqrt(math.prod(shape[1:])))
        parameter.data.copy_(value)
