"""The command line as a whole."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

import qwen_tts_api
from qwen_tts_api.config import Config
from tests.cli.command import environment, run

HEAVY = {"torch", "transformers", "qwen_tts", "numpy", "flask", "marshmallow", "huggingface_hub"}

MODULES_AT_THE_END = """
import json, sys
from qwen_tts_api.cli import main
sys.argv = ["qwen-tts-api", *sys.argv[1:]]
try:
    main()
finally:
    sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules_of(*arguments: str, **variables: str) -> set[str]:
    """Return the modules that a successful command has imported when it ends."""
    result = subprocess.run(
        [sys.executable, "-c", MODULES_AT_THE_END, *arguments],
        capture_output=True,
        env=environment(variables),
        timeout=60,
        check=True,
    )
    return set(json.loads(result.stderr.splitlines()[-1]))


class Handler(BaseHTTPRequestHandler):
    """Answers every text with four bytes."""

    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.keys.append(self.headers.get("Authorization", ""))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"abcd")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.returncode == 0
    for command in ("serve", "say", "voices", "doctor", "download"):
        assert f"  {command} ".encode() in result.stdout
        assert run(command, "--help").returncode == 0


def test_help_imports_nothing_heavy() -> None:
    """So that it is there in an instant."""
    assert not modules_of("--help") & HEAVY
    assert not modules_of("doctor", "--help") & HEAVY


def test_saying_by_a_server_imports_nothing_heavy(tmp_path: Path) -> None:
    """The server and the key to it may be in the environment."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        arguments = ("say", "Hi", "-o", str(tmp_path / "x.pcm"))
        modules = modules_of(*arguments, TTS_SERVER=url, TTS_API_KEY="k")
        server.shutdown()
    assert (tmp_path / "x.pcm").read_bytes() == b"abcd"
    assert Handler.keys == ["Bearer k"]
    assert not modules & HEAVY


def test_the_version_is_the_packages() -> None:
    assert qwen_tts_api.__version__.encode() in run("--version").stdout


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["serve", "--what"], ["serve", "--dtype", "int8"], ["download"]]
)
def test_wrong_use_exits_with_2(arguments: list[str]) -> None:
    """And names what is wrong, without a traceback."""
    result = run(*arguments)
    assert result.returncode == 2
    assert b"Error: " in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_every_setting_is_an_option(command: str) -> None:
    """With its name in the environment and its purpose."""
    shown = " ".join(run(command, "--help", environ={"COLUMNS": "200"}).stdout.decode().split())
    for setting in dataclasses.fields(Config):
        assert f"QWEN_{setting.name.upper()}:" in shown
        assert setting.metadata["purpose"].replace("`", "").split()[0] in shown


def test_a_wrong_option_names_what_is_allowed() -> None:
    result = run("serve", "--dtype", "int8")
    assert b"'int8' is not allowed: give bfloat16, float16 or float32." in result.stderr


def test_a_shell_completes() -> None:
    """click's script for bash."""
    result = run(environ={"_QWEN_TTS_API_COMPLETE": "bash_source"})
    assert b"complete -o nosort" in result.stdout
    words = {"COMP_WORDS": "qwen-tts-api do", "COMP_CWORD": "1"}
    completed = run(environ={"_QWEN_TTS_API_COMPLETE": "bash_complete", **words})
    assert completed.stdout.split() == [b"plain,doctor", b"plain,download"]


@pytest.mark.parametrize("command", ["say", "serve"])
def test_examples_of_the_help_are_lines_of_their_own(command: str) -> None:
    """As they are typed."""
    shown = run(command, "--help").stdout.decode()
    assert "\\b" not in shown
    assert f"\n  qwen-tts-api {command} " in shown
