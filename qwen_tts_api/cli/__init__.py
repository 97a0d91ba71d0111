"""The command line: `qwen-tts-api serve | say | voices | doctor | download`.

One module or package per command. Heavy imports are deferred until a command runs: `--help`, and
`say` and `voices` with a server, import neither PyTorch nor the packages around it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn

import click

from qwen_tts_api import __version__
from qwen_tts_api.cli.doctor import doctor
from qwen_tts_api.cli.download import download
from qwen_tts_api.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED
from qwen_tts_api.cli.say import say
from qwen_tts_api.cli.serve import serve
from qwen_tts_api.cli.voices import voices


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Qwen3-TTS as a server, and what belongs to it.

    Settings of the environment (QWEN_*) hold for every command; docs/settings.md lists them.
    """


for command in (serve, say, voices, doctor, download):
    commands.add_command(command)


def main() -> None:
    """Run the command line and exit: 0; 1 on failure; 2 on wrong usage; 130 on Ctrl-C."""
    try:
        code = commands.main(prog_name="qwen-tts-api", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has exited, as `head` does
        sys.stdout = None  # or Python's flush at exit prints an error
        code = EXIT_FAILED
    _end(code)


def _end(code: int) -> NoReturn:
    """Exit; without finalizing the interpreter if PyTorch is imported, which may crash then."""
    if "torch" not in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, AttributeError):
            stream.flush()
    os._exit(code)
