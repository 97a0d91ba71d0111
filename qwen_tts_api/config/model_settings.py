"""The settings of models and voices, and of what a request leaves open; see `settings`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_tts_api.config import readers
from qwen_tts_api.config.readers import Reader
from qwen_tts_api.config.readers import setting as _setting

DEFAULT_MODEL_ID = "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"

MAX_INSTRUCT_CHARS = 4096
"""The length of a style instruction, which is a part of the prompt of every segment."""


@dataclass(frozen=True)
class ModelSettings:
    """Which models speak, on what, as whom, and how where a request does not say."""

    model_id: str = _setting(
        DEFAULT_MODEL_ID,
        readers.model_id,
        "Model that is loaded at the start, and used by requests without `model`.",
    )
    models: tuple[tuple[str, str], ...] = _setting(
        (),
        readers.models,
        "Further models that requests may name in `model`; loaded on demand.",
    )
    max_loaded_models: int = _setting(
        1,
        readers.integer(1, 16),
        "Models in memory at once; the least recently used one is unloaded.",
    )
    idle_unload_s: float = _setting(
        0.0,
        readers.seconds(0, 604_800),
        "Seconds without work after which a model leaves memory; the next request for it loads it "
        "again, and waits. 0: never.",
    )
    device: str = _setting(
        "cuda:0",
        Reader(readers.device, "`cpu`, `cuda` or `cuda:N`"),
        "Device that the models run on.",
    )
    dtype: str = _setting(
        "bfloat16",
        readers.choice("bfloat16", "float16", "float32"),
        "Data type of weights and computation.",
    )
    attn_impl: str = _setting(
        "flash_attention_2",
        readers.choice("flash_attention_2", "sdpa", "eager"),
        "Attention kernel; `eager` is `sdpa`, which is also used where flash-attn cannot run.",
    )
    kernels: str = _setting(
        "auto",
        readers.choice("auto", "plain"),
        "`auto`: fused kernels where they work on the GPU, which is tested at the start; `plain`: "
        "PyTorch's operators, as on a CPU.",
    )
    default_language: str = _setting(
        "Auto",
        Reader(readers.required_text, "`Auto`, a language's name or its code"),
        "Language of requests without `language`.",
    )
    default_speaker: str = _setting(
        "Ryan",
        Reader(
            readers.required_text, "a speaker of the model; for a Base model a registered voice"
        ),
        "Speaker of requests without `speaker`. A model that lacks it uses its first speaker.",
    )
    default_instruct: str = _setting(
        "",
        readers.limited_text(MAX_INSTRUCT_CHARS),
        "Style instruction of requests without `instruct`, for models that support one.",
    )
    speaker_aliases: tuple[tuple[str, str], ...] = _setting(
        (),
        Reader(readers.pairs, "a comma-separated list of `alias=speaker`"),
        "Aliases of speakers, such as `p376=Ryan` for scripts written for Coqui.",
    )
    unknown_speaker: str = _setting(
        "error",
        readers.choice("error", "default"),
        "Unknown speaker in a request: respond 400, or use the default speaker.",
    )
    strict_parameters: bool = _setting(
        False,
        readers.boolean,
        "OpenAI- and ElevenLabs-compatible APIs: reject unsupported fields with 400, instead of "
        "ignoring them and naming them in a header.",
    )
    openai_stream: str = _setting(
        "requested",
        readers.choice("requested", "always"),
        "OpenAI-compatible API: stream if the request asks for it, or always unless it has "
        "`stream: false`.",
    )
    voices_dir: Path | None = _setting(
        None,
        Reader(readers.optional_path, "a writable folder; empty: `voices` in `QWEN_CACHE_DIR`"),
        "Folder of the registered voices.",
    )
    voice_uploads: bool = _setting(
        True, readers.boolean, "Allow requests to add and delete registered voices."
    )
    max_voices: int = _setting(
        100,
        readers.integer(1, 10_000),
        "Largest number of registered voices, each of up to 2.9 MB on disk.",
    )
    max_audio_bytes: int = _setting(
        10_485_760,
        readers.integer(1024, 1 << 25),
        "Largest audio file to clone a voice from, in bytes.",
    )
