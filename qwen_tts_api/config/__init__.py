"""Settings: read once from `QWEN_*` environment variables, checked, frozen."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qwen_tts_api.config.settings import Settings
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.names import fold, shown

PREFIX = "QWEN_"

# Threads beyond those that synthesise or wait: for probes, lists and refusals.
SPARE_THREADS = 16

# What Kubernetes puts into the environment of every pod beside a Service called, say, "qwen-tts"
# (QWEN_TTS_SERVICE_HOST, QWEN_TTS_PORT_8888_TCP_ADDR): not ours, never refused.
_SERVICE_LINK = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$"
)
_SERVICE_LINK_URL = re.compile(r"^(tcp|udp|sctp)://")


@dataclass(frozen=True)
class Config(Settings):
    """Every setting of the service, as an environment has them.

    >>> Config.from_env({"QWEN_DEVICE": "cpu"}).device
    'cpu'
    """

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the settings from an environment.

        Raises:
            ConfigError: A `QWEN_*` name is unknown, or a value is not allowed.
        """
        settings = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, Any] = {}
        for name in sorted(environ):
            if not name.startswith(PREFIX) or _is_service_link(name, environ[name]):
                continue
            if name not in settings:
                raise ConfigError(_unknown_setting(name, list(settings)))
            setting = settings[name]
            try:
                environ[name].encode()  # an environment may have any bytes
                values[setting.name] = setting.metadata["read"](environ[name])
            except ValueError as error:
                is_text = not isinstance(error, UnicodeEncodeError)
                allowed = setting.metadata["allowed"] if is_text else "it in UTF-8"
                raise ConfigError(
                    f"{name}={shown(environ[name])} is not allowed: set {allowed}."
                ) from None
        config = cls(**values)
        if config.cache_dir.parts[:1] == ("~",):
            raise ConfigError(
                f"QWEN_CACHE_DIR is needed: its default, {config.cache_dir}, is in the home of a "
                "user that has none (HOME)."
            )
        return config

    @property
    def speakers_by_alias(self) -> dict[str, str]:
        """Map the other names of speakers, as `names.fold` has them, to speakers."""
        return {fold(alias): speaker for alias, speaker in self.speaker_aliases}

    @property
    def registry_dir(self) -> Path:
        """Return the folder of the registered voices."""
        return self.voices_dir or self.cache_dir / "voices"

    @property
    def served_models(self) -> dict[str, str]:
        """Map the names a request may give to hub ids or folders; the default model is first."""
        by_id = {source: name for name, source in reversed(self.models)}
        default = by_id.get(self.model_id, self.model_id)
        return {default: self.model_id, **dict(self.models)}

    @property
    def default_model(self) -> str:
        """Return the name of the model that is used where a request names none."""
        return next(iter(self.served_models))

    @property
    def num_threads(self) -> int:
        """Return how many threads the server needs: one for each request or WebSocket."""
        running = self.max_loaded_models * self.max_streams
        return running + self.max_queue + self.max_sockets + SPARE_THREADS


def _is_service_link(name: str, value: str) -> bool:
    if _SERVICE_LINK.search(name):
        return True
    return name.endswith("_PORT") and bool(_SERVICE_LINK_URL.match(value))


def _unknown_setting(name: str, known: list[str]) -> str:
    # Compared without the common prefix, which would make any two names look alike.
    suffixes = [setting.removeprefix(PREFIX) for setting in known]
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), suffixes, n=1)
    hint = f"did you mean {PREFIX}{nearest[0]}?" if nearest else f"known are {', '.join(known)}."
    return f"{name} is not a setting: {hint}"
