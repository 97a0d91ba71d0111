"""`serve`: replace this process by gunicorn, with the project's settings."""

from __future__ import annotations

import os
import sys

import click

from qwen_tts_api.cli.settings import setting_options

SETTINGS = "python:qwen_tts_api.server.gunicorn_conf"
GUNICORN = ("-m", "gunicorn", "-c", SETTINGS, "qwen_tts_api.server.wsgi:app")


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen on every address; short for --bind."
)
@setting_options()
def serve(port: int | None, options: dict[str, str]) -> None:
    """Serve over HTTP until Ctrl-C or SIGTERM.

    Every setting is an option, too; an option goes before the environment. gunicorn's own settings,
    such as a certificate, are taken from GUNICORN_CMD_ARGS.

    \b
    qwen-tts-api serve --model nano --device cpu --dtype float32
    """  # noqa: D301 - \b is click's mark of lines that stay lines
    if port is not None:
        if "QWEN_BIND" in options:
            raise click.UsageError("Give --port or --bind, not both.")
        options["QWEN_BIND"] = f"0.0.0.0:{port}"
    sys.stderr.flush()
    # The new process has the options as variables of its environment: gunicorn's worker reads them.
    os.execve(sys.executable, [sys.executable, *GUNICORN], {**os.environ, **options})
