"""What a config.json says of a transformer, and what holds where it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_tts_api.errors import LoadError

Document = dict[str, Any]

# What upstream's configuration classes put in the place of a field that is not there.
TALKER_DEFAULTS: Document = {
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 20,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000,
    "vocab_size": 3072,
    "num_code_groups": 32,
    "text_hidden_size": 2048,
}
CODE_PREDICTOR_DEFAULTS: Document = {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 5,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000,
    "vocab_size": 2048,
    "num_code_groups": 32,
}
CODEC_DEFAULTS: Document = {
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000,
    "sliding_window": 72,
    "latent_dim": 1024,
    "codebook_size": 2048,
    "num_quantizers": 16,
    "upsample_rates": (8, 5, 4, 3),
    "upsampling_ratios": (2, 2),
}


@dataclass(frozen=True)
class Heads:
    """How the columns of a packed `qkv` are divided."""

    num_query: int
    num_kv: int
    head_dim: int

    @property
    def width(self) -> int:
        """Columns of all query heads together."""
        return self.num_query * self.head_dim

    @property
    def projections(self) -> dict[str, int]:
        """How many columns each of the projections has that are packed."""
        key_width = self.num_kv * self.head_dim
        return {
            "q_proj.weight": self.width,
            "k_proj.weight": key_width,
            "v_proj.weight": key_width,
        }


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a transformer's layers.

    Attributes:
        num_layers: L.
        hidden_size: D.
        intermediate_size: I, the MLP's width.
        heads: Of every layer.
        eps: Of every norm.
        rope_theta: The base of RoPE's frequencies.
    """

    num_layers: int
    hidden_size: int
    intermediate_size: int
    heads: Heads
    eps: float
    rope_theta: float

    @classmethod
    def read(cls, document: Document) -> TransformerConfig:
        """Read it from a part of a config.json that is completed with the defaults.

        Raises:
            LoadError: The layers do what no published checkpoint's do.
        """
        check_layers(document)
        num_heads = document["num_attention_heads"]
        head_dim = document.get("head_dim") or document["hidden_size"] // num_heads
        return cls(
            num_layers=document["num_hidden_layers"],
            hidden_size=document["hidden_size"],
            intermediate_size=document["intermediate_size"],
            heads=Heads(num_heads, document["num_key_value_heads"] or num_heads, head_dim),
            eps=document["rms_norm_eps"],
            rope_theta=document["rope_theta"],
        )


def check_layers(document: Document) -> None:
    """Refuse a configuration that the model's functions would run wrongly.

    Raises:
        LoadError: It names the field, its value and what is served.
    """
    rope = document.get("rope_scaling") or {}
    found = {
        "attention_bias": document.get("attention_bias", False),
        "hidden_act": document.get("hidden_act", "silu"),
        "rope_type": rope.get("type", rope.get("rope_type", "default")),
        "use_sliding_window": document.get("use_sliding_window", False),
    }
    served = {
        "attention_bias": False,
        "hidden_act": "silu",
        "rope_type": "default",
        "use_sliding_window": False,
    }
    for field, value in served.items():
        if found[field] != value:
            name = document.get("model_type", "a transformer")
            raise LoadError(
                f"config.json says {field} {found[field]!r} of {name}; served is {value!r}."
            )
