"""Options that stand for settings: `--dtype float32` is `QWEN_DTYPE=float32`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from qwen_tts_api.config import PREFIX, Config
from qwen_tts_api.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])

# Where the setting's own name would be odd on a command line.
OPTION_NAMES = {"model_id": "model"}


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command an option for each of these settings (for all of them, if none is named).

    The command gets no arguments for them: what was given is in the environment when it runs, which
    processes that it starts inherit.
    """

    def decorate(command: Command) -> Command:
        for setting in reversed(fields(Config)):
            if not names or setting.name in names:
                command = _option(setting)(command)
        return command

    return decorate


def read_settings() -> Config:
    """Return the settings.

    Raises:
        click.ClickException: One in the environment is wrong.
    """
    try:
        return Config.from_env()
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _option(setting: Field[Any]) -> Callable[[Command], Command]:
    variable = PREFIX + setting.name.upper()
    allowed = setting.metadata["allowed"].replace("`", "")

    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is None:
            return
        try:
            setting.metadata["read"](value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not allowed: give {allowed}.") from None
        os.environ[variable] = value

    return click.option(
        f"--{OPTION_NAMES.get(setting.name, setting.name).replace('_', '-')}",
        f"_{setting.name}",
        callback=check,
        expose_value=False,
        metavar="VALUE",
        help=f"{setting.metadata['purpose'].replace('`', '')} ({variable}: {allowed})",
    )
