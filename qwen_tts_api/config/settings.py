"""The settings: each field of `Settings` is one, those of `ModelSettings` included.

The metadata of a field are its reader, allowed values and purpose. The command line's options and
the table in docs/settings.md (`make docs`) are generated from them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qwen_tts_api.config import readers
from qwen_tts_api.config.model_settings import ModelSettings
from qwen_tts_api.config.readers import Reader
from qwen_tts_api.config.readers import setting as _setting

DEFAULT_CACHE_DIR = Path(os.path.expanduser("~/.cache/qwen-tts-api"))

LIVE_MODES = ("segments", "continuous")
"""How a text that arrives is spoken: sentence by sentence, or word by word."""


@dataclass(frozen=True)
class Settings(ModelSettings):
    """Every setting of the service; `Config` reads them. Here are those of the server and texts."""

    bind: str = _setting(
        "0.0.0.0:8888", Reader(readers.bind, "`address:port`"), "Address of the main port."
    )
    ops_bind: str = _setting(
        "0.0.0.0:8889",
        Reader(readers.optional_bind, "`address:port` or `off`"),
        "Address of the ops port: probes and metrics, with threads of its own.",
    )
    wyoming_bind: str = _setting(
        "",
        Reader(readers.optional_bind, "`address:port` or `off`"),
        "Address of the Wyoming port, for Home Assistant; 10200 is the usual port. It has no "
        "authentication: see docs/api/wyoming.md.",
    )
    api_keys_file: Path | None = _setting(
        None,
        Reader(readers.optional_path, "a file with one key per line, plain or as `name=key`"),
        "API keys that clients must send; reloaded when the file changes. Empty: no keys needed.",
    )
    rate_limit: int = _setting(
        0,
        readers.integer(0, 1_000_000),
        "Requests per minute of one API key, or of one IP address without API keys; 0: no limit.",
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        Reader(
            readers.origins,
            "a comma-separated list of `https://host:port` (any scheme), `null`, or `*`",
        ),
        "Origins of web pages that may call the server from a browser, besides its own page.",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        Reader(
            readers.hosts,
            "a comma-separated list of names without ports; `*.example.com` is all under one; "
            "or `*`",
        ),
        "`Host` names that are accepted, besides IP addresses and `localhost`; empty: any (see "
        "docs/operations/secure.md).",
    )
    max_text_chars: int = _setting(
        4096, readers.integer(1, 1_000_000), "Maximum length of a request's text, in characters."
    )
    max_segment_chars: int = _setting(
        400,
        readers.integer(50, 1_000_000),
        "Maximum length of a segment, in characters; longer texts are split (see "
        "docs/long-text.md).",
    )
    live_mode: str = _setting(
        "segments",
        readers.choice(*LIVE_MODES),
        "Text that arrives while it is spoken: sentence by sentence, or word by word (see "
        "docs/api/live.md).",
    )
    live_pending_chars: int = _setting(
        16_384,
        readers.integer(1, 1_000_000),
        "Maximum number of characters of a text that arrives while it is spoken that wait for it.",
    )
    live_silence_s: float = _setting(
        30.0,
        readers.seconds(0.1, 3600),
        "Seconds without more of a text that arrives while it is spoken, and without anything left "
        "to speak, after which the text ends.",
    )
    non_streaming_mode: bool = _setting(
        True,
        readers.boolean,
        "Cloned voices: all text of an utterance before its first frame, in requests without "
        "`non_streaming_mode`; `false`: a token in each frame, as upstream (see docs/voices.md).",
    )
    normalize_text: bool | str = _setting(
        True,
        readers.normalization,
        "Remove markup, emoji and invisible characters from texts, in requests without "
        "`normalize`; `full`: also write numbers, dates, units, abbreviations and signs as words.",
    )
    pronunciations: Path | None = _setting(
        None,
        Reader(readers.optional_path, "a path"),
        "File of words and respellings, `word = respelling` a line; reloaded when it changes.",
    )
    unspeakable_text: str = _setting(
        "error",
        readers.choice("error", "silence"),
        "Response of `/api/tts` to a text without anything to speak: 400, or a short silence, as "
        "the OpenAI- and MaryTTS-compatible APIs always send.",
    )
    mark_audio: bool = _setting(
        True,
        readers.boolean,
        "Mark audio as made by AI, in the metadata of its file and by a header (see "
        "docs/formats.md).",
    )
    pause_marks: bool = _setting(
        False,
        readers.boolean,
        "Whether `[pause 1.5s]` in a text is a pause, in requests without `pause_marks`.",
    )
    max_body_bytes: int = _setting(
        1_048_576,
        # 1,000,000 characters of 12 bytes: of any text in JSON.
        readers.integer(1024, 12 << 20),
        "Maximum size of a request body in bytes, without the recording in it.",
    )
    max_streams: int = _setting(
        32,
        readers.integer(1, 1024),
        "Maximum batch size: utterances computed at once, if they fit into memory.",
    )
    max_positions: int = _setting(
        8192,
        readers.integer(512, 32_768),
        "Maximum length of an utterance: text tokens plus audio frames (12.5 per second).",
    )
    enforce_eager: bool = _setting(
        False,
        readers.boolean,
        "Launch GPU kernels one by one instead of replaying CUDA graphs: slow, for debugging.",
    )
    max_queue: int = _setting(
        64, readers.integer(1, 1024), "Maximum number of waiting requests; further ones get 429."
    )
    max_sockets: int = _setting(
        128,
        readers.integer(0, 4096),
        "Maximum number of open WebSockets; further ones get 503. 0: none.",
    )
    request_timeout_s: float = _setting(
        300.0,
        readers.seconds(0.1, 86_400),
        "Timeout for each segment of a request's text, in seconds; then 504.",
    )
    client_timeout_s: float = _setting(
        30.0,
        readers.seconds(0.1, 3600),
        "Timeout for a client to send its request, or to receive 64 KiB of the response, in "
        "seconds.",
    )
    keepalive_s: int = _setting(
        75,
        readers.integer(0, 3600),
        "Keep-alive timeout in seconds; should exceed that of a reverse proxy in front. 0: close "
        "each connection after its response.",
    )
    hang_timeout_s: float = _setting(
        120.0,
        readers.seconds(1, 86_400),
        "Seconds without progress after which a busy model counts as hung: `/healthz` is then 503.",
    )
    graceful_timeout_s: float = _setting(
        60.0,
        readers.seconds(1, 86_400),
        "Timeout of a graceful shutdown: running requests are cancelled this many seconds after "
        "SIGTERM.",
    )
    cache_dir: Path = _setting(
        DEFAULT_CACHE_DIR,
        Reader(readers.path, "a writable folder"),
        "Folder of the registered voices, the compiled kernels and the nano checkpoints. Downloads "
        "go to `HF_HOME`.",
    )
    log_level: str = _setting(
        "INFO",
        readers.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        "Lowest level of messages that are logged.",
    )
    log_format: str = _setting("json", readers.choice("json", "text"), "Format of log lines.")
    log_text: bool = _setting(
        False, readers.boolean, "Log the first 200 characters of each request's text."
    )
