"""What config.json leaves out is what upstream would put there."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_tts_api.checkpoints.documents import Document
from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts
from qwen_tts_api.checkpoints.transformer_config import (
    CODE_PREDICTOR_DEFAULTS,
    CODEC_DEFAULTS,
    TALKER_DEFAULTS,
    TransformerConfig,
)
from qwen_tts_api.errors import LoadError
from tests.rows import for_each


def upstream_defaults(part: str) -> Any:
    import_qwen_tts()
    from qwen_tts.core.models import configuration_qwen3_tts as model
    from qwen_tts.core.tokenizer_12hz import configuration_qwen3_tts_tokenizer_v2 as codec

    return {
        "talker": model.Qwen3TTSTalkerConfig,
        "code predictor": model.Qwen3TTSTalkerCodePredictorConfig,
        "codec": codec.Qwen3TTSTokenizerV2DecoderConfig,
    }[part]()


@pytest.mark.parametrize(
    ("part", "defaults"),
    [
        ("talker", TALKER_DEFAULTS),
        ("code predictor", CODE_PREDICTOR_DEFAULTS),
        ("codec", CODEC_DEFAULTS),
    ],
)
def test_the_defaults_are_upstream_s(part: str, defaults: Document) -> None:
    upstream = upstream_defaults(part)
    assert defaults == {name: getattr(upstream, name) for name in defaults}


def test_heads_divide_the_width_where_their_size_is_not_said() -> None:
    assert TransformerConfig.read(TALKER_DEFAULTS).heads.head_dim == 64
    assert TransformerConfig.read(TALKER_DEFAULTS | {"head_dim": 128}).heads.head_dim == 128


@for_each(
    ("changes", "message"),
    [
        ({"attention_bias": True}, "attention_bias True"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ({"rope_scaling": {"type": "yarn"}}, "rope_type 'yarn'"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2}}, "rope_type 'linear'"),
        ({"use_sliding_window": True}, "use_sliding_window True"),
    ],
)
def test_what_would_be_run_wrongly_is_refused(changes: Document, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        TransformerConfig.read(TALKER_DEFAULTS | changes)


@pytest.mark.parametrize("rope", [None, {}, {"type": "default"}, {"mrope_section": [24, 20, 20]}])
def test_plain_rope_is_served(rope: Document | None) -> None:
    assert TransformerConfig.read(TALKER_DEFAULTS | {"rope_scaling": rope}).num_layers == 20
