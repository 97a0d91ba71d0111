"""What is examined: settings, hardware and the default model's checkpoint, each looked at once."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qwen_tts_api.checkpoints.card import ModelCard, locate_here, read_card
from qwen_tts_api.config import PREFIX, Config
from qwen_tts_api.errors import ConfigError

DRIVER_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
DRIVER_TIMEOUT_S = 30


@dataclass(frozen=True)
class Gpu:
    """A CUDA device, as PyTorch sees it."""

    name: str
    capability: tuple[int, int]
    total_bytes: int


@dataclass(frozen=True)
class Hardware:
    """What computes here.

    Attributes:
        torch_version: PyTorch's.
        cuda_version: What PyTorch is built for; None is a build without CUDA.
        gpus: The devices that PyTorch can use.
        drivers: A line for each GPU that the driver lists, used or not: name and driver's version.
    """

    torch_version: str
    cuda_version: str | None
    gpus: tuple[Gpu, ...]
    drivers: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """Everything that checks look at.

    Attributes:
        config: The settings; a wrong one has its default, so that the rest can be checked, too.
        environ: Where they come from.
        wrong_settings: A sentence for each wrong one.
    """

    config: Config
    environ: Mapping[str, str]
    wrong_settings: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Subject:
        """Read the settings one by one, so that every wrong one is found, not only the first."""
        good: dict[str, str] = {}
        wrong: list[str] = []
        try:
            Config.from_env({})
        except ConfigError as failure:  # there is no home folder, so that a default is missing
            good["QWEN_CACHE_DIR"] = tempfile.gettempdir()
            if "QWEN_CACHE_DIR" not in environ:
                wrong.append(str(failure))
        for name in (name for name in sorted(environ) if name.startswith(PREFIX)):
            try:
                Config.from_env(good | {name: environ[name]})
                good[name] = environ[name]
            except ConfigError as failure:
                wrong.append(str(failure))
        return cls(Config.from_env(good), dict(environ), tuple(wrong))

    @cached_property
    def hardware(self) -> Hardware:
        """Return what computes here.

        Raises:
            Exception: Whatever importing PyTorch raises.
        """
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        properties = [torch.cuda.get_device_properties(index) for index in range(count)]
        return Hardware(
            torch_version=torch.__version__,
            cuda_version=torch.version.cuda,
            gpus=tuple(Gpu(p.name, (p.major, p.minor), p.total_memory) for p in properties),
            drivers=_list_drivers(),
        )

    @property
    def gpu(self) -> Gpu | None:
        """Return the GPU that is to compute; None for the CPU, and where it is not there."""
        if self.config.device == "cpu":
            return None
        index = int(self.config.device.removeprefix("cuda:"))
        return self.hardware.gpus[index] if index < len(self.hardware.gpus) else None

    @cached_property
    def folder(self) -> Path | None:
        """Return the folder of the default model's checkpoint; None where it is not here."""
        try:
            return locate_here(self.config.model_id, self.config.cache_dir)
        except Exception:  # a border: said by `check_files`, whatever it is
            return None

    @cached_property
    def card(self) -> ModelCard | None:
        """Return what the default model can do; None where that cannot be read."""
        try:
            return read_card(self.folder) if self.folder else None
        except Exception:  # a border, likewise
            return None

    @property
    def description(self) -> str:
        """Return what would be served and where."""
        kind = f" ({self.card.kind})" if self.card else ""
        return (
            f"{self.config.default_model}{kind} on {self.config.device} in {self.config.dtype} at "
            f"{self.config.bind}"
        )


def _list_drivers() -> tuple[str, ...]:
    try:
        listed = subprocess.run(
            DRIVER_QUERY, capture_output=True, text=True, timeout=DRIVER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(filter(None, listed.stdout.splitlines()))
