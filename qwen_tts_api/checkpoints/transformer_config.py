"""Read a transformer's configuration from config.json, with upstream's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_tts_api.checkpoints.documents import (
    GROUPS,
    ID,
    NUMBER,
    OPTIONAL_LIST,
    OPTIONAL_OBJECT,
    OPTIONAL_POSITIVE,
    POSITIVE,
    STRIDES,
    WINDOW,
    Document,
    FieldType,
    read_fields,
    refuse_quantised,
)
from qwen_tts_api.errors import LoadError

# Defaults of upstream's configuration classes.
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
    "codec_eos_token_id": 4198,
    "codec_think_id": 4202,
    "codec_nothink_id": 4203,
    "codec_think_bos_id": 4204,
    "codec_think_eos_id": 4205,
    "codec_pad_id": 4196,
    "codec_bos_id": 4197,
    "spk_id": None,
    "spk_is_dialect": None,
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
    "decoder_dim": 1536,
}

# The paths of the configurations, for error messages.
TALKER = "config.json: talker_config"
CODE_PREDICTOR = f"{TALKER}.code_predictor_config"
CODEC = "speech_tokenizer/config.json: decoder_config"

_FIELD_TYPES = {
    "head_dim": OPTIONAL_POSITIVE,
    "num_key_value_heads": OPTIONAL_POSITIVE,
    "rope_theta": NUMBER,
    "num_code_groups": GROUPS,
    "num_quantizers": GROUPS,
    "sliding_window": WINDOW,
    "spk_id": None,  # read with the speakers
    "spk_is_dialect": None,
}


def completed(document: Any, defaults: Document, where: str) -> Document:
    """Return a configuration with upstream's defaults, in the format of transformers 4.

    Args:
        document: An object in config.json.
        defaults: Default values of its fields, from which their types follow.
        where: Its file and path, for error messages.

    Raises:
        LoadError: A field has a wrong type or range, or fields contradict each other.
    """
    document = read_fields(document, where, {})
    refuse_quantised(document, where)
    whole = defaults | {"head_dim": None} | _with_one_rope(document, where)
    return read_fields(whole, where, _field_types(defaults))


def _field_types(defaults: Document) -> dict[str, FieldType]:
    types: dict[str, FieldType] = {"head_dim": OPTIONAL_POSITIVE}
    for name, value in defaults.items():
        field_type = _FIELD_TYPES.get(name, _field_type_of(name, value))
        if field_type is not None:
            types[name] = field_type
    return types


def _field_type_of(name: str, default: Any) -> FieldType:
    if isinstance(default, tuple):
        return STRIDES
    if isinstance(default, float):
        return NUMBER
    return ID if name.endswith("_id") else POSITIVE


def _with_one_rope(document: Document, where: str) -> Document:
    """Convert `rope_parameters` of transformers 5 into the fields of transformers 4.

    Raises:
        LoadError: They have no `rope_theta`, or one for each layer type, or contradict fields of
            transformers 4.
    """
    if document.get("rope_parameters") is None:
        return document
    found = read_fields(document["rope_parameters"], f"{where}.rope_parameters", {})
    if list(found) == ["full_attention"]:
        found = read_fields(found["full_attention"], f"{where}.rope_parameters", {})
    rope = read_fields(found, f"{where}.rope_parameters", {"rope_theta": NUMBER})
    theta = document.get("rope_theta", rope["rope_theta"])
    if theta != rope["rope_theta"]:
        raise LoadError(
            f"{where} says rope_theta {theta!r}, and {rope['rope_theta']!r} in rope_parameters: "
            "one of them has to go."
        )
    rest = {name: value for name, value in document.items() if name != "rope_parameters"}
    scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
    earlier = document.get("rope_scaling") or scaling
    if earlier != scaling and _rope_type(earlier) != _rope_type(scaling):
        raise LoadError(
            f"{where} says rope_scaling {earlier!r}, and {scaling!r} in rope_parameters: one of "
            "them has to go."
        )
    return rest | {"rope_theta": theta, "rope_scaling": earlier}


def _rope_type(rope: Any) -> Any:
    """Return the RoPE type; `type` takes precedence over `rope_type`, as upstream."""
    if not isinstance(rope, dict):
        return None
    return rope.get("type", rope.get("rope_type", None if "factor" in rope else "default"))


@dataclass(frozen=True)
class Heads:
    """The layout of a packed `qkv` projection."""

    num_query: int
    num_kv: int
    head_dim: int

    @property
    def width(self) -> int:
        """Columns of all query heads."""
        return self.num_query * self.head_dim

    @property
    def projections(self) -> dict[str, int]:
        """Columns of each packed projection."""
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
        intermediate_size: I, the width of the MLP.
        heads: The attention heads of every layer.
        eps: Epsilon of every RMSNorm.
        rope_theta: Base of the RoPE frequencies.
    """

    num_layers: int
    hidden_size: int
    intermediate_size: int
    heads: Heads
    eps: float
    rope_theta: float

    @classmethod
    def read(cls, document: Document) -> TransformerConfig:
        """Read a configuration that `completed` returned.

        Raises:
            LoadError: The layers have features that are not implemented.
        """
        check_layers(document)
        num_heads = document["num_attention_heads"]
        num_kv = document["num_key_value_heads"] or num_heads
        if num_heads % num_kv:
            raise LoadError(
                f"config.json says num_attention_heads {num_heads} and num_key_value_heads "
                f"{num_kv}, which does not divide it."
            )
        head_dim = document.get("head_dim") or document["hidden_size"] // num_heads
        return cls(
            num_layers=document["num_hidden_layers"],
            hidden_size=document["hidden_size"],
            intermediate_size=document["intermediate_size"],
            heads=Heads(num_heads, num_kv, head_dim),
            eps=document["rms_norm_eps"],
            rope_theta=document["rope_theta"],
        )


def check_layers(document: Document) -> None:
    """Check that a configuration has only features that the model's functions implement.

    Raises:
        LoadError: It has others; the message names the field, its value and what is served.
    """
    missing: Document = {"rope_scaling": None, "layer_types": None}
    document = missing | document
    types = {"rope_scaling": OPTIONAL_OBJECT, "layer_types": OPTIONAL_LIST}
    read_fields(document, "config.json", types)
    rope = document["rope_scaling"] or {}
    sliding = [each for each in document["layer_types"] or [] if each != "full_attention"]
    found = {
        "attention_bias": document.get("attention_bias", False),
        "hidden_act": document.get("hidden_act", "silu"),
        "rope_type": _rope_type(rope),
        "partial_rotary_factor": rope.get("partial_rotary_factor", 1),
        "use_sliding_window": document.get("use_sliding_window", False),
        "layer_types": sliding or ["full_attention"],
    }
    served = {
        "attention_bias": False,
        "hidden_act": "silu",
        "rope_type": "default",
        "partial_rotary_factor": 1,
        "use_sliding_window": False,
        "layer_types": ["full_attention"],
    }
    for field, value in served.items():
        if found[field] != value:
            name = document.get("model_type", "a transformer")
            raise LoadError(
                f"config.json says {field} {found[field]!r} of {name}; served is {value!r}."
            )
