"""The subject of the checks: settings, hardware and the default model's checkpoint."""

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
    """PyTorch, GPUs and drivers.

    Attributes:
        torch_version: Of PyTorch.
        cuda_version: That PyTorch is built for; None for a build without CUDA.
        gpus: Devices that PyTorch can use.
        drivers: Name and driver version of each GPU that `nvidia-smi` lists.
    """

    torch_version: str
    cuda_version: str | None
    gpus: tuple[Gpu, ...]
    drivers: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """Everything that the checks examine; expensive parts are computed once.

    Attributes:
        config: The settings; invalid ones have their defaults, so that all checks can run.
        environ: The environment of the settings.
        wrong_settings: The error message of each invalid setting.
    """

    config: Config
    environ: Mapping[str, str]
    wrong_settings: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Subject:
        """Read the settings one by one, so that every invalid one is reported."""
        good: dict[str, str] = {}
        wrong: list[str] = []
        try:
            Config.from_env({})
        except ConfigError as failure:  # without a home folder, cache_dir has no default
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
        """Return PyTorch, GPUs and drivers.

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
        """Return the GPU of QWEN_DEVICE; None for the CPU, or if it does not exist."""
        if self.config.device == "cpu":
            return None
        index = int(self.config.device.removeprefix("cuda:"))
        return self.hardware.gpus[index] if index < len(self.hardware.gpus) else None

    @cached_property
    def folder(self) -> Path | None:
        """Return the folder of the default model's checkpoint; None if it is not present."""
        try:
            return locate_here(self.config.model_id, self.config.cache_dir)
        except Exception:  # whatever it is, `check_files` reports it
            return None

    @cached_property
    def card(self) -> ModelCard | None:
        """Return the card of the default model; None if it cannot be read."""
        try:
            return read_card(self.folder) if self.folder else None
        except Exception:  # likewise
            return None

    @property
    def description(self) -> str:
        """Return the model, device, dtype and address of the server."""
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
