"""The JSON documents of a nano checkpoint: those of a published 1.7B checkpoint, of smaller size.

Names, ids, rates and limits are as published; only widths and depths differ. Sizes that differ in
the published checkpoint (query heads wider than the hidden size, a code predictor narrower than the
talker, text embeddings of their own width) differ here, too, so that confusing them is an error.
"""

from __future__ import annotations

from typing import Any

from qwen_tts_api.checkpoints.nano.tokenizer import TOKEN_IDS, VOCABULARY_ROWS

Document = dict[str, Any]

TRANSFORMERS_VERSION = "4.57.3"
NUM_CODE_GROUPS = 16
CODEBOOK_SIZE = 2048
HIDDEN_SIZE = 128

LANGUAGES = {
    "chinese": 2055,
    "english": 2050,
    "german": 2053,
    "italian": 2070,
    "portuguese": 2071,
    "spanish": 2054,
    "japanese": 2058,
    "korean": 2064,
    "french": 2061,
    "russian": 2069,
}
DIALECTS = {"beijing_dialect": 2074, "sichuan_dialect": 2062}
SPEAKERS = {
    "serena": 3066,
    "vivian": 3065,
    "uncle_fu": 3010,
    "ryan": 3061,
    "aiden": 2861,
    "ono_anna": 2873,
    "sohee": 2864,
    "eric": 2875,
    "dylan": 2878,
}
DIALECT_OF_SPEAKER = {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}

GENERATION: Document = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.9,
    "top_p": 1.0,
    "top_k": 50,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.9,
    "subtalker_top_p": 1.0,
    "subtalker_top_k": 50,
    "max_new_tokens": 8192,
}

PREPROCESSOR: Document = {
    "padding_side": "left",
    "padding_value": 0.0,
    "processor_class": "Qwen3TTSProcessor",
    "return_attention_mask": True,
}

SPEECH_TOKENIZER_PREPROCESSOR: Document = {
    "feature_extractor_type": "EncodecFeatureExtractor",
    "feature_size": 1,
    "sampling_rate": 24000,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
}

_CODE_PREDICTOR: Document = {
    "attention_bias": False,
    "attention_dropout": 0,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 128,
    "layer_types": ["full_attention", "full_attention"],
    "max_length": 20,
    "max_position_embeddings": 65536,
    "max_window_layers": 28,
    "model_type": "qwen3_tts_talker_code_predictor",
    "num_attention_heads": 4,
    "num_code_groups": NUM_CODE_GROUPS,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": CODEBOOK_SIZE,
}

_TALKER: Document = {
    "attention_bias": False,
    "attention_dropout": 0,
    "code_predictor_config": _CODE_PREDICTOR,
    "codec_bos_id": 2149,
    "codec_eos_token_id": 2150,
    "codec_think_id": 2154,
    "codec_nothink_id": 2155,
    "codec_pad_id": 2148,
    "codec_think_bos_id": 2156,
    "codec_think_eos_id": 2157,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": HIDDEN_SIZE,
    "initializer_range": 0.02,
    "intermediate_size": 256,
    "max_position_embeddings": 32768,
    "model_type": "qwen3_tts_talker",
    "num_attention_heads": 4,
    "num_code_groups": NUM_CODE_GROUPS,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "position_id_per_seconds": 13,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "interleaved": True,
        "mrope_section": [6, 5, 5],
        "rope_type": "default",
        "type": "default",
    },
    "rope_theta": 1000000,
    "sliding_window": None,
    "text_hidden_size": 96,
    "text_vocab_size": VOCABULARY_ROWS,
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 3072,
    "pad_token_id": 2148,
}

_SPEAKER_ENCODER: Document = {
    "enc_dim": HIDDEN_SIZE,
    "sample_rate": 24000,
    "enc_channels": [32, 32, 32, 32, 96],
    "enc_attention_channels": 16,
    "enc_se_channels": 16,
}

_CODEC_DECODER: Document = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "latent_dim": 64,
    "codebook_dim": 32,
    "codebook_size": CODEBOOK_SIZE,
    "decoder_dim": 96,
    "hidden_act": "silu",
    "hidden_size": 48,
    "intermediate_size": 96,
    "layer_scale_initial_scale": 0.01,
    "max_position_embeddings": 8000,
    "head_dim": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "num_quantizers": NUM_CODE_GROUPS,
    "num_semantic_quantizers": 1,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000,
    "semantic_codebook_size": 4096,
    "sliding_window": 72,
    "upsample_rates": [8, 5, 4, 3],
    "upsampling_ratios": [2, 2],
    "vector_quantization_hidden_dimension": 32,
}

_CODEC_ENCODER: Document = {
    "_frame_rate": 12.5,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "audio_channels": 1,
    "codebook_dim": 8,
    "codebook_size": CODEBOOK_SIZE,
    "compress": 2,
    "dilation_growth_rate": 2,
    "dtype": "float32",
    "head_dim": 32,
    "hidden_act": "gelu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 128,
    "kernel_size": 7,
    "last_kernel_size": 3,
    "layer_scale_initial_scale": 0.01,
    "max_position_embeddings": 8000,
    "norm_eps": 1e-05,
    "normalize": False,
    "num_attention_heads": 2,
    "num_filters": 8,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "num_quantizers": 32,
    "num_residual_layers": 1,
    "num_semantic_quantizers": 1,
    "pad_mode": "constant",
    "residual_kernel_size": 3,
    "rope_theta": 10000.0,
    "sampling_rate": 24000,
    "sliding_window": 250,
    "transformers_version": "4.57.0.dev0",
    "trim_right_ratio": 1.0,
    "upsample_groups": 64,
    "upsampling_ratios": [8, 6, 5, 4],
    "use_cache": False,
    "use_causal_conv": True,
    "use_conv_shortcut": False,
    "use_streaming": False,
    "vector_quantization_hidden_dimension": 8,
}

SPEECH_TOKENIZER: Document = {
    "architectures": ["Qwen3TTSTokenizerV2Model"],
    "model_type": "qwen3_tts_tokenizer_12hz",
    "encoder_valid_num_quantizers": NUM_CODE_GROUPS,
    "input_sample_rate": 24000,
    "output_sample_rate": 24000,
    "decode_upsample_rate": 1920,
    "encode_downsample_rate": 1920,
    "decoder_config": _CODEC_DECODER,
    "encoder_config": _CODEC_ENCODER,
    "transformers_version": TRANSFORMERS_VERSION,
}


def model_config(tts_model_type: str) -> Document:
    """Return `config.json` of a kind: "custom_voice", "voice_design" or "base".

    As published, only `custom_voice` names speakers and dialects, and only `base` has a speaker
    encoder.
    """
    document: Document = {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "assistant_token_id": TOKEN_IDS["assistant"],
        "im_end_token_id": TOKEN_IDS["<|im_end|>"],
        "im_start_token_id": TOKEN_IDS["<|im_start|>"],
        "tts_bos_token_id": TOKEN_IDS["<tts_text_bos>"],
        "tts_eos_token_id": TOKEN_IDS["<tts_text_eod>"],
        "tts_pad_token_id": TOKEN_IDS["<tts_pad>"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": "nano",
        "tts_model_type": tts_model_type,
        "talker_config": _TALKER | _voices(tts_model_type),
        "transformers_version": TRANSFORMERS_VERSION,
        "token_per_frame": True,  # of the service: see `ModelCard.token_per_frame`
    }
    if tts_model_type == "base":
        document["speaker_encoder_config"] = _SPEAKER_ENCODER
    return document


def _voices(tts_model_type: str) -> Document:
    """Return the speakers, languages and dialects of `talker_config`."""
    if tts_model_type != "custom_voice":
        return {"codec_language_id": LANGUAGES, "spk_id": {}, "spk_is_dialect": {}}
    return {
        "codec_language_id": LANGUAGES | DIALECTS,
        "spk_id": SPEAKERS,
        "spk_is_dialect": {name: DIALECT_OF_SPEAKER.get(name, False) for name in SPEAKERS},
    }
