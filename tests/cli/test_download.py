"""`download`, from a hub on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE as CHUNK

from qwen_tts_api.checkpoints.nano import ensure_nano
from qwen_tts_api.config.settings import DEFAULT_CACHE_DIR
from tests.cli.command import run, started
from tests.cli.fake_hub import FakeHub
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

MODEL = "Qwen/speaks"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    """Return a hub with the nano checkpoint, and what else lies in such a place."""
    folder = shutil.copytree(ensure_nano("nano", DEFAULT_CACHE_DIR), tmp_path / "hub")
    (folder / "README.md").write_text("Read me")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "speech_tokenizer" / "model.pt").write_bytes(b"pickle")
    hub = FakeHub(folder)
    yield hub
    hub.close()


def variables(hub: FakeHub, tmp_path: Path) -> dict[str, str]:
    """Return the environment: this hub, and a cache of one's own."""
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}


def names_in(folder: Path) -> set[str]:
    """Return the files of a folder, without the hub's own notes."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts]
    return {str(path.relative_to(folder)) for path in paths}


def test_a_folder_gets_what_is_needed_and_no_pickle(hub: FakeHub, tmp_path: Path) -> None:
    """It is whole, can be used, and the command says how."""
    folder = tmp_path / "here"
    result = run("download", MODEL, "--to", folder, environ=variables(hub, tmp_path))
    assert (result.returncode, result.stderr) == (0, b"")
    assert names_in(folder) == names_in(hub.folder) - {
        *("README.md", "pytorch_model.bin", "speech_tokenizer/model.pt")
    }
    assert f"QWEN_MODEL_ID={folder} HF_HUB_OFFLINE=1" in result.stdout.decode()
    assert not [path for _, path, _ in hub.requests if path.endswith((".bin", ".pt"))]
    assert b"9 speakers" in run("doctor", "--model", folder, "--device", "cpu").stdout


def test_the_cache_serves_without_a_network(hub: FakeHub, tmp_path: Path) -> None:
    """Under the model's own name."""
    result = run("download", MODEL, environ=variables(hub, tmp_path))
    assert result.returncode == 0, result.stderr
    assert f"QWEN_MODEL_ID={MODEL} HF_HUB_OFFLINE=1" in result.stdout.decode()
    offline = variables(hub, tmp_path) | {"HF_HUB_OFFLINE": "1"}
    assert b"Ryan" in run("voices", "--model", MODEL, environ=offline).stdout


def most_of_a_part(folder: Path) -> int:
    """Return the bytes of the largest file that is not whole yet."""
    sizes = [0]
    for path in folder.rglob("*.incomplete"):
        with contextlib.suppress(FileNotFoundError):  # it has become whole meanwhile
            sizes.append(path.stat().st_size)
    return max(sizes)


@pytest.mark.slow
@pytest.mark.parametrize("to_folder", [True, False])
def test_an_interrupted_download_goes_on_where_it_was(
    hub: FakeHub, tmp_path: Path, to_folder: bool
) -> None:
    """Ctrl-C in the middle of the weights; then only the rest of them is asked for."""
    place = ["--to", str(tmp_path / "here")] if to_folder else []
    hub.held = "model.safetensors"
    with started("download", MODEL, *place, environ=variables(hub, tmp_path)) as process:
        wait_until(lambda: most_of_a_part(tmp_path) >= CHUNK, 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    hub.held = ""
    hub.requests.clear()
    assert run("download", MODEL, *place, environ=variables(hub, tmp_path)).returncode == 0
    [asked] = [
        asked
        for method, path, asked in hub.requests
        if method == "GET" and path.endswith("/model.safetensors") and "speech_tok" not in path
    ]
    assert asked == f"bytes={CHUNK}-"


def test_without_a_hub_it_says_so_and_takes_nothing_for_whole(hub: FakeHub, tmp_path: Path) -> None:
    """The hub's client would be content with a folder that has something in it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "config.json").write_text("{}")
    hub.close()
    result = run("download", MODEL, "--to", tmp_path / "here", environ=variables(hub, tmp_path))
    assert result.returncode == 1
    assert b"The hub cannot be reached" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("Qwen/nothing", "The hub has no 'Qwen/nothing'"),
        ("Qwen/private", "HF_TOKEN"),
        ("not a name", "not a valid hub id"),
        ("~nobody-of-this-name/x", "not a valid hub id"),
    ],
)
def test_what_the_hub_does_not_give(
    hub: FakeHub, tmp_path: Path, model: str, sentence: str
) -> None:
    result = run("download", model, environ=variables(hub, tmp_path))
    assert result.returncode == 1
    assert sentence in result.stderr.decode()


def test_another_kind_of_model_is_refused_before_its_weights_come(
    hub: FakeHub, tmp_path: Path
) -> None:
    (hub.folder / "config.json").write_text('{"architectures": ["Bert"]}')
    result = run("download", MODEL, environ=variables(hub, tmp_path))
    assert (result.returncode, b"does not describe" in result.stderr) == (1, True)
    assert not [path for _, path, _ in hub.requests if path.endswith(".safetensors")]


def test_pickles_alone_are_refused(hub: FakeHub, tmp_path: Path) -> None:
    for path in hub.folder.rglob("*.safetensors"):
        path.unlink()
    result = run("download", MODEL, environ=variables(hub, tmp_path))
    assert (result.returncode, b"2 pickles" in result.stderr) == (1, True)


def test_a_checkpoint_that_is_damaged_on_the_hub_is_no_success(
    hub: FakeHub, tmp_path: Path
) -> None:
    weights = hub.folder / "speech_tokenizer" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    result = run("download", MODEL, environ=variables(hub, tmp_path))
    assert result.returncode == 1
    assert b"is not complete. " in result.stderr
    assert b": speech_tokenizer/model.safetensors has " in result.stderr


@pytest.mark.parametrize("model", ["nano", "/tmp"])
def test_what_is_no_download_is_wrong_use(model: str) -> None:
    assert run("download", model).returncode == 2


# As where HOME is not set and the user has no account; ours has one.
HOMELESS = """
import os.path, sys
os.path.expanduser = lambda path: path
from qwen_tts_api.cli import main
main()
"""


@pytest.mark.parametrize("to_folder", [True, False])
def test_without_a_home_nothing_is_written_beside(
    hub: FakeHub, tmp_path: Path, to_folder: bool
) -> None:
    """The hub's own client would make a folder called ~ and fill that."""
    environ = {**os.environ, **variables(hub, tmp_path)}
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        environ.pop(name, None)
    command = [sys.executable, "-c", HOMELESS, "download", MODEL]
    command += ["--to", str(tmp_path / "here")] if to_folder else []
    place = tmp_path / "place"
    place.mkdir()
    result = subprocess.run(command, env=environ, cwd=place, capture_output=True, text=True)
    assert (result.returncode == 0) == to_folder, result.stderr
    assert ("HF_HOME is needed" in result.stderr) != to_folder
    assert [*place.iterdir()] == []
