"""From an environment variable's text to a value. A text that is not allowed is a ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from qwen_tts_api.config.folders import expand

T = TypeVar("T")


@dataclass(frozen=True)
class Reader(Generic[T]):
    """Reads a setting.

    Attributes:
        read: From the variable's text to the value.
        allowed: What that text may be, for people.
    """

    read: Callable[[str], T]
    allowed: str


def setting(default: T, reader: Reader[T], purpose: str) -> T:
    """Describe one setting (typed as its value, in the manner of `dataclasses.field`)."""
    metadata = {"read": reader.read, "allowed": reader.allowed, "purpose": purpose}
    value: Any = field(default=default, metadata=metadata)
    return value  # type: ignore[no-any-return]


def required_text(raw: str) -> str:
    """Read a text that is not empty."""
    if not raw.strip():
        raise ValueError
    return raw.strip()


def limited_text(max_chars: int) -> Reader[str]:
    """Return a reader of a text of up to `max_chars` characters."""

    def read(raw: str) -> str:
        value = raw.strip()
        if len(value) > max_chars:
            raise ValueError
        return value

    return Reader(read, f"up to {max_chars} characters")


def choice(*words: str) -> Reader[str]:
    """Return a reader of one of some words, in any case.

    >>> choice("DEBUG", "INFO", "ERROR").allowed
    '`DEBUG`, `INFO` or `ERROR`'
    """

    def read(raw: str) -> str:
        value = raw.strip()
        for candidate in words:
            if value.lower() == candidate.lower():
                return candidate
        raise ValueError

    *first, last = (f"`{word}`" for word in words)
    return Reader(read, f"{', '.join(first)} or {last}")


def integer(low: int, high: int) -> Reader[int]:
    """Return a reader of a whole number from `low` to `high`."""

    def read(raw: str) -> int:
        value = int(raw)
        if not low <= value <= high:
            raise ValueError
        return value

    return Reader(read, f"{low} to {high}")


def _boolean(raw: str) -> bool:
    """Read `1`, `0`, `true` or `false`."""
    values = {"1": True, "true": True, "0": False, "false": False}
    if raw.strip().lower() not in values:
        raise ValueError
    return values[raw.strip().lower()]


def _normalization(raw: str) -> bool | str:
    """Read `1`, `0`, `true`, `false` or `full`."""
    return "full" if raw.strip().lower() == "full" else _boolean(raw)


normalization = Reader(_normalization, "`1`, `0` or `full`")
boolean = Reader(_boolean, "`1` or `0`")


def seconds(low: float, high: float) -> Reader[float]:
    """Return a reader of a number of seconds from `low` to `high`."""

    def read(raw: str) -> float:
        value = float(raw)
        if not low <= value <= high:  # also refuses NaN
            raise ValueError
        return value

    return Reader(read, f"{low:g} to {high:g}")


def device(raw: str) -> str:
    """Read a device of PyTorch's."""
    value = raw.strip().lower()
    if not re.fullmatch(r"cpu|cuda(:\d+)?", value):
        raise ValueError
    return "cuda:0" if value == "cuda" else value


def bind(raw: str) -> str:
    """Read an address and a port."""
    value = raw.strip()
    match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s/\[\]]+):(\d{1,5})", value)
    if not match or not 0 <= int(match[2]) <= 65535:
        raise ValueError
    return value


def optional_bind(raw: str) -> str:
    """Read an address and a port, or `off`, which is an empty text."""
    return "" if raw.strip().lower() == "off" else bind(raw)


def pairs(raw: str) -> tuple[tuple[str, str], ...]:
    """Read a list of `key=value`."""
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in raw.split(","))):
        key, separator, value = (part.strip() for part in item.partition("="))
        if not separator or not key or not value or key in pairs:
            raise ValueError
        pairs[key] = value
    return tuple(pairs.items())


def _models(raw: str) -> tuple[tuple[str, str], ...]:
    """Read a list of ids, each plain or as `name=id`."""
    items = [part.strip() for part in raw.split(",") if part.strip()]
    return pairs(",".join(item if "=" in item else f"{item}={item}" for item in items))


model_id = Reader(
    required_text, "a hub id, a local folder, `nano-en`, `nano`, `nano-design` or `nano-base`"
)
models = Reader(_models, "a comma-separated list of hub ids or folders, each plain or as `name=id`")


def path(raw: str) -> Path:
    """Read a path; `~` is the user's home."""
    if not raw.strip():
        raise ValueError
    return expand(raw.strip())


def optional_path(raw: str) -> Path | None:
    """Read a path, or nothing."""
    return path(raw) if raw.strip() else None


def origins(raw: str) -> tuple[str, ...]:
    """Read a list of origins of web pages, each as a browser writes it: without a default port."""
    return tuple(_origin(part.strip().lower()) for part in raw.split(",") if part.strip())


_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9_.-]*|\[[0-9a-f:.]+\])(?P<port>:\d{1,5})?/?"
)
_DEFAULT_PORTS = (("http", ":80"), ("https", ":443"))


def _origin(written: str) -> str:
    if written in ("*", "null"):
        return written
    # Not only the web has pages: `app://`, `capacitor://localhost`, `chrome-extension://<id>`.
    match = _ORIGIN.fullmatch(written)
    if not match or (match["scheme"] in ("http", "https") and not match["host"]):
        raise ValueError
    port = "" if (match["scheme"], match["port"]) in _DEFAULT_PORTS else match["port"] or ""
    return f"{match['scheme']}://{match['host']}{port}"


def hosts(raw: str) -> tuple[str, ...]:
    """Read a list of the names that a `Host` header may have."""
    hosts = tuple(part.strip().lower() for part in raw.split(",") if part.strip())
    if not all(re.fullmatch(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host) for host in hosts):
        raise ValueError
    return hosts
