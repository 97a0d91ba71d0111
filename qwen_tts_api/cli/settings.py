"""Command-line options of settings: `--dtype float32` is `QWEN_DTYPE=float32`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from types import MappingProxyType
from typing import Any, TypeVar

import click

from qwen_tts_api.config import PREFIX, Config
from qwen_tts_api.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])

NONE_GIVEN: Mapping[str, str] = MappingProxyType({})

# Options that are not named after their setting.
OPTION_NAMES = {"model_id": "model"}


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command an option for each of these settings (for all of them, if none is named).

    The command gets the argument `options`: the values that were given, by `QWEN_*` name.
    """
    settings = [each for each in fields(Config) if not names or each.name in names]
    arguments = {f"_{setting.name}": variable_of(setting.name) for setting in settings}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def gather(**given: Any) -> Any:
            values = {arguments[name]: given.pop(name) for name in arguments}
            options = {name: value for name, value in values.items() if value is not None}
            return command(options=options, **given)

        for setting in reversed(settings):
            gather = _option(setting)(gather)
        return gather  # type: ignore[return-value]

    return decorate


def read_settings(
    options: Mapping[str, str] = NONE_GIVEN, defaults: Mapping[str, str] = NONE_GIVEN
) -> Config:
    """Return the settings of the environment.

    Args:
        options: By `QWEN_*` name; they override the environment.
        defaults: By `QWEN_*` name; the environment overrides them.

    Raises:
        click.ClickException: One is wrong.
    """
    try:
        return Config.from_env({**defaults, **os.environ, **options})
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def variable_of(name: str) -> str:
    """Return the environment variable of a setting, a field of `Config`."""
    return PREFIX + name.upper()


def option_of(name: str) -> str:
    """Return the option of a setting, a field of `Config`."""
    return f"--{OPTION_NAMES.get(name, name).replace('_', '-')}"


def _option(setting: Field[Any]) -> Callable[[Command], Command]:
    allowed = setting.metadata["allowed"].replace("`", "")
    purpose = setting.metadata["purpose"].replace("`", "")

    def check(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None:
            try:
                setting.metadata["read"](value)
            except ValueError:
                raise click.BadParameter(f"{value!r} is not allowed: give {allowed}.") from None
        return value

    return click.option(
        option_of(setting.name),
        f"_{setting.name}",
        callback=check,
        metavar="VALUE",
        help=f"{purpose} ({variable_of(setting.name)}: {allowed})",
    )
