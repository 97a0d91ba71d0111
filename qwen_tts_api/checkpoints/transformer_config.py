"""What a config.json says of a transformer, and what holds where it says nothing."""

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
    Kind,
    read_fields,
    refuse_quantised,
)
from qwen_tts_api.errors import LoadError

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

# Where the parts are, for sentences.
TALKER = "config.json: talker_config"
CODE_PREDICTOR = f"{TALKER}.code_predictor_config"
CODEC = "speech_tokenizer/config.json: decoder_config"

_KINDS = {
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
    """Return a part of a config.json with upstream's defaults, in the spelling of transformers 4.

    Args:
        document: The part.
        defaults: Of its fields; they tell their types.
        where: The file and the part, for the sentence.

    Raises:
        LoadError: A field is of another type or range, or nobody can tell what is meant.
    """
    document = read_fields(document, where, {})
    refuse_quantised(document, where)
    whole = defaults | {"head_dim": None} | _with_one_rope(document, where)
    return read_fields(whole, where, _kinds(defaults))


def _kinds(defaults: Document) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {"head_dim": OPTIONAL_POSITIVE}
    for name, value in defaults.items():
        kind = _KINDS.get(name, _kind_of(name, value))
        if kind is not None:
            kinds[name] = kind
    return kinds


def _kind_of(name: str, default: Any) -> Kind:
    if isinstance(default, tuple):
        return STRIDES
    if isinstance(default, float):
        return NUMBER
    return ID if name.endswith("_id") else POSITIVE


def _with_one_rope(document: Document, where: str) -> Document:
    """Bring `rope_parameters`, as transformers 5 writes them, into the fields of transformers 4.

    Raises:
        LoadError: They have no `rope_theta`, one for each kind of layer, or say something else than
            the fields of transformers 4 that are there, too.
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
    """Return a kind of RoPE; of the two spellings the first counts, as upstream has it."""
    if not isinstance(rope, dict):
        return None
    return rope.get("type", rope.get("rope_type", None if "factor" in rope else "default"))


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
    """Refuse a configuration that the model's functions would run wrongly.

    Raises:
        LoadError: It names the field, its value and what is served.
    """
    missing: Document = {"rope_scaling": None, "layer_types": None}
    document = missing | document
    kinds = {"rope_scaling": OPTIONAL_OBJECT, "layer_types": OPTIONAL_LIST}
    read_fields(document, "config.json", kinds)
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
