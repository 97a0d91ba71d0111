"""What can be set: each field of `Settings` is one setting.

Its metadata say how it is read and what is allowed, so that this file is the only place where a
setting is described: `make docs` makes the table of docs/settings.md of it, and a test holds the
ConfigMap to it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from qwen_tts_api.config import readers
from qwen_tts_api.config.readers import Reader

T = TypeVar("T")

DEFAULT_MODEL_ID = "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"
DEFAULT_CACHE_DIR = Path(os.path.expanduser("~/.cache/qwen-tts-api"))


def _setting(default: T, reader: Reader[T], purpose: str) -> T:
    """Describe one setting (typed as its value, in the manner of `dataclasses.field`)."""
    metadata = {"read": reader.read, "allowed": reader.allowed, "purpose": purpose}
    value: Any = field(default=default, metadata=metadata)
    return value  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Settings:
    """Every setting of the service; `Config` reads them."""

    model_id: str = _setting(
        DEFAULT_MODEL_ID,
        Reader(
            readers.required_text,
            "a hub id, a local folder, `nano-en`, `nano`, `nano-design` or `nano-base`",
        ),
        "The model that is loaded at start and used where a request names none.",
    )
    models: tuple[tuple[str, str], ...] = _setting(
        (),
        Reader(
            readers.models,
            "a comma-separated list of hub ids or folders, each plain or as `name=id`",
        ),
        "What a request's `model` may name, besides the default model.",
    )
    max_loaded_models: int = _setting(
        1,
        readers.integer(1, 16),
        "Models in memory at once; the least recently used goes.",
    )
    device: str = _setting(
        "cuda:0",
        Reader(readers.device, "`cpu`, `cuda` or `cuda:N`"),
        "Where the model computes.",
    )
    dtype: str = _setting(
        "bfloat16",
        readers.choice("bfloat16", "float16", "float32"),
        "Number format of the weights.",
    )
    attn_impl: str = _setting(
        "flash_attention_2",
        readers.choice("flash_attention_2", "sdpa", "eager"),
        "Attention kernel; `eager` is `sdpa`, which is also used where flash-attn cannot run.",
    )
    default_language: str = _setting(
        "Auto",
        Reader(readers.required_text, "`Auto`, a language's name or its code"),
        "Where a request names none.",
    )
    default_speaker: str = _setting(
        "Ryan",
        Reader(
            readers.required_text, "a speaker of the model; for a Base model a registered voice"
        ),
        "Where a request names none. A model without it uses its first speaker.",
    )
    default_instruct: str = _setting(
        "",
        Reader(readers.text, "any text"),
        "Style instruction where a request has none and the model takes one.",
    )
    speaker_aliases: tuple[tuple[str, str], ...] = _setting(
        (),
        Reader(readers.pairs, "a comma-separated list of `alias=speaker`"),
        "Other names for speakers, such as `p376=Ryan` for scripts written for Coqui.",
    )
    unknown_speaker: str = _setting(
        "error",
        readers.choice("error", "default"),
        "Refuse an unknown speaker with a 400, or use the default speaker.",
    )
    strict_parameters: bool = _setting(
        False,
        readers.boolean,
        "OpenAI-compatible API: refuse fields that have no use, instead of ignoring and naming "
        "them.",
    )
    openai_stream: str = _setting(
        "requested",
        readers.choice("requested", "always"),
        "OpenAI-compatible API: send audio as it is made to whoever asks for it, or to everybody "
        "who does not say `stream: false`.",
    )
    voices_dir: Path | None = _setting(
        None,
        Reader(readers.optional_path, "a writable folder; empty: `voices` in `QWEN_CACHE_DIR`"),
        "Where registered voices are kept.",
    )
    voice_uploads: bool = _setting(
        True,
        readers.boolean,
        "Whether requests may add and delete registered voices.",
    )
    max_voices: int = _setting(
        100,
        readers.integer(1, 10_000),
        "Registered voices, each of up to 2.9 MB on the disk.",
    )
    max_audio_bytes: int = _setting(
        10_485_760,
        readers.integer(1024, 1 << 25),
        "Largest recording to clone from, as a file.",
    )
    bind: str = _setting(
        "0.0.0.0:8888",
        Reader(readers.bind, "`address:port`"),
        "Where the server listens.",
    )
    ops_bind: str = _setting(
        "0.0.0.0:8889",
        Reader(readers.optional_bind, "`address:port` or `off`"),
        "Where probes and metrics are answered even if every thread of the main port is busy.",
    )
    api_keys_file: Path | None = _setting(
        None,
        Reader(readers.optional_path, "a file with a key a line, plain or as `name=key`"),
        "Keys that clients must show; read again when it changes. Without it everybody may come.",
    )
    rate_limit: int = _setting(
        0,
        readers.integer(0, 1_000_000),
        "Requests a minute of one key, or of one address where there are no keys; 0 is no limit.",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        Reader(
            readers.origins,
            "a comma-separated list of `https://host:port` (any scheme), `null`, or `*`",
        ),
        "Origins of web pages that may use the server from a browser, besides its own.",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        Reader(
            readers.hosts,
            "a comma-separated list of names without ports; `*.example.com` is all under one; "
            "or `*`",
        ),
        "Names that clients may call the server by, besides IP addresses and `localhost`; "
        "empty: any (see docs/operations/secure.md).",
    )
    max_text_chars: int = _setting(
        4096,
        readers.integer(1, 1_000_000),
        "Longest text of a request, in characters.",
    )
    max_segment_chars: int = _setting(
        400,
        readers.integer(50, 1_000_000),
        "Longest part of a text that is spoken at once; a longer text is divided (see "
        "docs/long-text.md).",
    )
    normalize_text: bool = _setting(
        True,
        readers.boolean,
        "Take markup, emoji and invisible characters out of texts, where a request does not say.",
    )
    unspeakable_text: str = _setting(
        "error",
        readers.choice("error", "silence"),
        "What `/api/tts` answers to a text with nothing to say: a 400, or a short silence, as the "
        "OpenAI- and MaryTTS-compatible APIs always do.",
    )
    max_body_bytes: int = _setting(
        1_048_576,
        # 1,000,000 characters of 12 bytes: of any text in JSON.
        readers.integer(1024, 12 << 20),
        "Largest body of a request, without the recording in it.",
    )
    max_streams: int = _setting(
        32,
        readers.integer(1, 1024),
        "Utterances that are computed at once, as far as they fit into memory.",
    )
    max_positions: int = _setting(
        8192,
        readers.integer(512, 32_768),
        "Tokens of the text and frames of the audio (12.5 a second) of one utterance together.",
    )
    enforce_eager: bool = _setting(
        False,
        readers.boolean,
        "Launch every GPU kernel by itself instead of replaying CUDA graphs: slow, for debugging.",
    )
    max_queue: int = _setting(
        64,
        readers.integer(1, 1024),
        "Requests that may wait while the model is busy; one more is answered 429.",
    )
    request_timeout_s: float = _setting(
        300.0,
        readers.seconds(0.1, 86_400),
        "Seconds that a request waits for each segment of its text; then it is answered 504.",
    )
    client_timeout_s: float = _setting(
        30.0,
        readers.seconds(0.1, 3600),
        "Seconds that a client may take to send its request, or to take 64 KiB of the answer.",
    )
    keepalive_s: int = _setting(
        75,
        readers.integer(0, 3600),
        "Seconds that a connection stays open for its next request; more than what stands in front "
        "keeps its own idle. 0 closes each after its answer.",
    )
    hang_timeout_s: float = _setting(
        120.0,
        readers.seconds(1, 86_400),
        "Seconds after which a model that computes nothing of what it has is taken to hang: "
        "`/healthz` is then 503.",
    )
    graceful_timeout_s: float = _setting(
        60.0,
        readers.seconds(1, 86_400),
        "Seconds that running requests have to finish after SIGTERM.",
    )
    cache_dir: Path = _setting(
        DEFAULT_CACHE_DIR,
        Reader(readers.path, "a writable folder"),
        "Where the nano checkpoints are built. Downloads go to `HF_HOME`.",
    )
    log_level: str = _setting(
        "INFO",
        readers.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "Least severe message that is logged.",
    )
    log_format: str = _setting(
        "json",
        readers.choice("json", "text"),
        "One JSON object a line, or plain text.",
    )
    log_text: bool = _setting(
        False,
        readers.boolean,
        "Whether the line of a request has the beginning of its text, 200 characters.",
    )
