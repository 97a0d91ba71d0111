"""What the documents have to copy does what they say: commands, settings, versions, ports."""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from qwen_tts_api import __version__
from qwen_tts_api.cli import commands
from qwen_tts_api.config import Config
from qwen_tts_api.service.text.verbalize.languages import LANGUAGES
from qwen_tts_api.service.text.verbalize.verbalizer import make_verbalizer
from tests.conftest import CARDS, Bench
from tests.recordings import recording
from tests.rows import for_each
from tests.test_documents import DOCUMENTS, GUIDES, ROOT, files
from tools.install import PYTORCH_VERSION

ARE_COMMANDS = re.compile(
    r"(curl|jq|make|qwen-tts-api|sudo|docker|kubectl|python3?|\.venv/bin/\w+|bash|npx|echo|apt-get"
    r"|[A-Z_]+=\S+) "
)
OURS = {8888, 8889, 10200}
OF_OTHERS = {3000, 4318}
"""A web page in development, an OpenTelemetry collector."""


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the language and text of each block between fences."""
    for language, text in re.findall(r"^ *```(\w*)\n(.+?)^ *```", path.read_text(), re.M | re.S):
        yield language, textwrap.dedent(text)


def command_blocks() -> list[str]:
    """Return the blocks that are for a shell."""
    return [
        text
        for path in DOCUMENTS
        for language, text in blocks(path)
        if not language and ARE_COMMANDS.match(text)
    ]


def spans(path: Path) -> Iterator[str]:
    """Yield what is code: blocks, and what stands between backticks, which a line may end in."""
    for _, text in blocks(path):
        yield text
    prose = re.sub(r"^ *```.+?^ *```", "", path.read_text(), flags=re.M | re.S)
    for text in re.findall(r"`([^`]+)`", prose):
        yield " ".join(text.split())


def test_a_shell_can_read_every_command() -> None:
    """Quotes, pipes, lines that go on."""
    found = command_blocks()
    assert len(found) > 30
    script = "\n".join(f"block_{n}() {{\n{text}\n}}" for n, text in enumerate(found))
    result = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_every_other_block_can_be_read() -> None:
    """By what it is in."""
    readers: dict[str, Callable[[str], object]] = {
        "python": lambda text: compile(text, "block", "exec"),
        "json": json.loads,
        "yaml": lambda text: list(yaml.safe_load_all(text)),
    }
    read = 0
    for path in DOCUMENTS:
        for language, text in blocks(path):
            if (reader := readers.get(language)) is not None:
                assert reader(text) != {}
                read += 1
    assert read > 15


CURL = argparse.ArgumentParser("curl")
CURL.add_argument("url")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-G", dest="in_query", action="store_true")
CURL.add_argument("-o", "-D")
CURL.add_argument("-N", "-s", action="store_true")
for option in ("-H", "-d", "--data-urlencode", "-F"):
    CURL.add_argument(option, action="append", default=[])


def send(client: FlaskClient, command: str) -> TestResponse:
    """Send what a command with curl sends. What it is piped into is left out."""
    words = shlex.split(re.split(r"\s[|>]\s", command)[0])
    given = CURL.parse_args(words[1:])
    path = given.url.removeprefix("localhost:8888")
    headers = dict(header.split(": ", 1) for header in given.H)
    data = "&".join(
        [*given.d, *(urlencode(dict([text.split("=", 1)])) for text in given.data_urlencode)]
    )
    if given.in_query:
        return client.get(f"{path}?{data}", headers=headers)
    if given.F:
        form = dict(part.split("=", 1) for part in given.F)
        files = {
            name: (io.BytesIO(recording() if value.endswith(".wav") else b"Hello."), value)
            for name, value in form.items()
            if value[0] == "@"
        }
        return client.post(path, data={**form, **files}, headers=headers)
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    method = given.method or ("POST" if data else "GET")
    return client.open(path, method=method, data=data, headers=headers)


def curls() -> list[str]:
    """Return every command with curl, a line each unless a quotation goes over several."""
    return [
        command
        for text in command_blocks()
        for command in re.findall(r"^curl (?:'[^']*'|[^'\n])+", text.replace("\\\n", " "), re.M)
    ]


def test_every_curl_is_answered(
    monkeypatch: pytest.MonkeyPatch, make_bench: Callable[..., Bench]
) -> None:
    """By what `make run` serves, with the models beside it that the page asks for."""
    card = replace(CARDS["voice"], size="0b6", speakers=("ryan", "serena"), languages=("english",))
    monkeypatch.setitem(CARDS, "voice", card)
    monkeypatch.setitem(CARDS, "base", CARDS["clone"])
    client = make_bench(served=("voice", "design", "base")).client
    commands = curls()
    assert len(commands) > 12
    for command in commands:
        response = send(client, command)
        assert response.status_code in (200, 201, 204), (command, response.data)
        assert b'"status":"error"' not in response.data, command


SETTINGS = {f"QWEN_{each.name.upper()}": each for each in fields(Config)}


@for_each("path", [*DOCUMENTS, *files("deploy"), ROOT / "Makefile", ROOT / "Dockerfile"])
def test_every_value_of_a_setting_is_allowed(path: Path) -> None:
    """In a shell, a unit of systemd, a ConfigMap."""
    for name, value in re.findall(
        r"(?<![\w$])(QWEN_[A-Z_]*[A-Z])(?:=|: )\"?([^\s`\"()]+)", path.read_text()
    ):
        if name in SETTINGS and not re.search(r"\.\.\.|[<$]", value):
            SETTINGS[name].metadata["read"](value.rstrip(".,;:"))


def test_the_examples_of_numbers_are_spoken() -> None:
    """By the verbalizer of English; of a row all, in their order."""
    _, _, rest = (ROOT / "docs" / "long-text.md").read_text().partition("| written | spoken |\n")
    rows = [line.strip("| ").split(" | ") for line in rest.partition("\n\n")[0].splitlines()[1:]]
    verbalizer = make_verbalizer(LANGUAGES["english"])
    assert len(rows) > 5
    for written, spoken in rows:
        examples = re.findall(r"`([^`]+)`", written)
        assert ", ".join(map(verbalizer.verbalize, examples)) == spoken


def test_every_target_of_make_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    named = {
        target
        for path in DOCUMENTS
        for text in spans(path)
        for target in re.findall(r"(?:^|[ &])make ([a-z-]+)", text, re.M)
    }
    assert len(named) > 15
    assert named <= set(targets)


def test_every_option_of_the_command_line_exists() -> None:
    """Of the command that it stands behind."""
    checked = 0
    for path in DOCUMENTS:
        for text in spans(path):
            for name, rest in re.findall(r"qwen-tts-api ([a-z]+)\b([^\n|]*)", text):
                command = commands.commands.get(name)
                assert command is not None, (path, text)
                known = {
                    opt for each in command.params for opt in (*each.opts, *each.secondary_opts)
                }
                named = set(re.findall(r"(?<= )--?[a-z][a-z-]*", re.sub(r'"[^"]*"', "", rest)))
                assert named <= known, (path, text)
                checked += len(named)
    assert checked > 10


def test_every_module_that_is_run_exists() -> None:
    for path in DOCUMENTS:
        for name in re.findall(r"python3? -m ([a-z_.]+[a-z_])", path.read_text()):
            module = ROOT / name.replace(".", "/")
            assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), name


def test_versions_are_those_of_the_project() -> None:
    """Of the image, and of the clients that are tested."""
    locked = dict(
        re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements-agents.lock").read_text(), re.M)
    )
    tags = 0
    for path in [*GUIDES, *files("deploy")]:
        text = path.read_text()
        for tag in re.findall(r"qwen-tts-api:(\d[\w.]*)|newTag: (\S+)", text):
            assert "".join(tag) == __version__, path
            tags += 1
        for name, version in re.findall(r"\(([a-z-]+) (\d+\.\d+\.\d+)\)", text):
            assert locked[name] == version, path
        for version in re.findall(r"PyTorch (\d+\.\d+\.\d+)", text):
            assert version == PYTORCH_VERSION, path
    assert tags > 5


def test_every_port_is_one_that_is_listened_on() -> None:
    for path in GUIDES:
        found = re.findall(r"(?:localhost|host|127\.0\.0\.1|0\.0\.0\.0):(\d+)", path.read_text())
        assert set(map(int, found)) <= OURS | OF_OTHERS, path
