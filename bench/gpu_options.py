"""Command-line options that `bench.gpu` and its parts share."""

from __future__ import annotations

import argparse
from typing import Any


def _integers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _floats(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


_OPTIONS: dict[str, dict[str, Any]] = {
    "--device": {"default": "cuda:0"},
    "--streams": {"type": _integers, "default": "1,8,16,32,64,128", "help": "closed loops"},
    "--burst": {"type": int, "default": 64, "help": "requests that come at once"},
    "--rates": {"type": _floats, "default": "5,10,20,40", "help": "requests a second, open loops"},
    "--open-loop-s": {"type": float, "default": 4.0, "help": "of each open loop"},
    "--http-streams": {"type": _integers, "default": "1,32,64", "help": "over HTTP"},
    "--http-rates": {"type": _floats, "default": "20", "help": "likewise, requests a second"},
    "--frames": {"type": int, "default": 125, "help": "of each utterance"},
    "--faster-qwen3-tts": {"default": "", "metavar": "PYTHON", "help": "one that has it"},
}


def add_measuring_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    for name, arguments in _OPTIONS.items():
        parser.add_argument(name, **arguments)


def passed_on(options: argparse.Namespace) -> list[str]:
    """Return the options as command-line arguments."""
    return [f"{name}={_text(getattr(options, name[2:].replace('-', '_')))}" for name in _OPTIONS]


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
