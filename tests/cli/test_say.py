"""`say`, with a real server and without one."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import socket
import struct
import termios
import wave
from collections import Counter
from pathlib import Path
from subprocess import PIPE
from threading import Thread

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from bench.server import Server
from tests.cli.command import ON_A_CPU, run, started
from tests.conftest import Serve, assert_same, endings, wait_until
from tests.rows import for_each

TEXT = "Hello there, how are you?"


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """Return a ready server that the tests of this file share."""
    return serve(QWEN_MAX_TEXT_CHARS="100000")


def read_wav(data: bytes) -> npt.NDArray[np.int16]:
    """Return the samples, which must be as many as the header says."""
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert len(samples) == file.getnframes()
        assert int.from_bytes(data[4:8], "little") == len(data) - 8
        return samples


def answer_once(answer: bytes) -> str:
    """Return the address of a server that answers one request with these bytes, then hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            while b"\r\n\r\n" not in connection.recv(65536, socket.MSG_PEEK):
                pass
            connection.recv(65536)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)

    Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_streamed_wav_is_a_whole_one(server: Server, tmp_path: Path) -> None:
    """The header gets its sizes at the end; the samples are those of one piece."""
    path = tmp_path / "x.wav"
    result = run(
        "say",
        TEXT,
        "--seed",
        3,
        "--speaker",
        "vivian",
        "-o",
        path,
        environ={"TTS_SERVER": server.url},
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    whole = server.say(TEXT, seed=3, speaker="Vivian").content
    assert_same(read_wav(path.read_bytes()), read_wav(whole))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.wav"]


def test_the_format_is_the_names(server: Server, tmp_path: Path) -> None:
    """Or the one that is asked for."""
    for name, options, kind in (
        ("x.ogg", (), "OGG"),
        ("y", ("--format", "ogg"), "OGG"),
        ("z", (), "WAV"),
    ):
        path = tmp_path / name
        assert run("say", "Hi.", "-o", path, *options, "--server", server.url).returncode == 0
        assert soundfile.info(path).format == kind


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--speaker", "Bob"], "Unknown speaker 'Bob'; allowed are Serena"),
        (["--format", "tape"], "Unknown audio format 'tape'; allowed are wav"),
        (["-p", "temprature=1"], "did you mean 'temperature'?"),
        (["-p", "top_k=many"], "top_k: "),
        (["--model", "none"], "Unknown model 'none'"),
    ],
)
def test_a_refusal_is_the_servers_sentence(
    server: Server, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    """And there is no file."""
    result = run("say", "Hi.", "-o", tmp_path / "x.wav", *arguments, "--server", server.url)
    assert result.returncode == 1
    assert result.stderr.decode().startswith("Error: ")
    assert sentence in result.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_texts_and_audio_go_through_pipes(server: Server) -> None:
    """Standard input is the text, standard output the audio; a field is what the server knows."""
    arguments = ("say", "-", "-o", "-", "-f", "pcm", "-p", "seed=3", "--server", server.url)
    piped = run(*arguments, stdin=f"{TEXT}\n".encode())
    assert piped.returncode == 0
    again = run("say", *TEXT.split(), "-o", "-", "-f", "pcm", "--seed", 3, "--server", server.url)
    assert_same(np.frombuffer(piped.stdout, "<i2"), np.frombuffer(again.stdout, "<i2"))


def test_a_text_is_spoken_while_it_is_written(server: Server, tmp_path: Path) -> None:
    """Ctrl-C says how far; the thread that reads the pipe does not keep the process."""
    before = endings(server)
    arguments = ("say", "-", "-o", "-", "-f", "pcm", "--server", server.url)
    with (
        (tmp_path / "errors").open("wb") as errors,
        started(*arguments, stdin=PIPE, stdout=PIPE, stderr=errors.fileno()) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Hello there. And ")
        process.stdin.flush()
        assert process.stdout.read(3840)
        wait_until(lambda: endings(server) != before)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    message = (tmp_path / "errors").read_text()
    assert re.match(r"Spoken were 1\d of 17 characters, \d+ ms of audio\.\n", message)


def test_word_by_word(server: Server) -> None:
    """Of a server, which it needs."""
    arguments = ("say", "-", "-o", "-", "-f", "wav", "--live-mode", "continuous")
    result = run(*arguments, "--server", server.url, stdin=b"Hello there.")
    assert (result.returncode, result.stdout[:4]) == (0, b"RIFF"), result.stderr
    assert run(*arguments, "--in-process", stdin=b"Hello there.").returncode == 2


def test_a_proxy_is_not_asked_for_this_machine(server: Server) -> None:
    """The environment may name one for everything else."""
    arguments = ("say", "Hi.", "-o", "-", "-f", "pcm", "--server", server.url)
    result = run(*arguments, environ={"http_proxy": "http://127.0.0.1:1", "no_proxy": ""})
    assert (result.returncode, len(result.stdout) > 0) == (0, True), result.stderr


def test_a_text_from_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT)
    arguments = ("--file", tmp_path / "text", "--seed", 3, "--no-stream", "--server", server.url)
    assert run("say", *arguments, "-o", tmp_path / "x.wav").returncode == 0
    assert (tmp_path / "x.wav").read_bytes() == server.say(TEXT, seed=3).content
    (tmp_path / "text").write_bytes(b"\xff")
    refused = run("say", *arguments, "-o", tmp_path / "x.wav")
    assert (refused.returncode, b"not UTF-8" in refused.stderr) == (2, True)


@for_each(
    "arguments",
    [
        ["-o", "x.wav"],
        ["Hi", "-o", "/no/such/folder/x.wav"],
        ["Hi", "--format", "wav"],
        ["Hi", "-o", "x.wav", "--dtype", "float32"],
        ["Hi", "-o", "x.wav", "--server", "localhost"],
        ["Hi", "-o", "x.wav", "--server", "http://a:b"],
        ["Hi", "-o", "x.wav", "--server", "http://localhost", "--in-process"],
        ["Hi", "-o", "x.wav", "-p", "temperature"],
        ["Hi", "-o", "x.wav", "--live-mode", "continuous"],
        ["-", "-o", "x.wav", "--live-mode", "words"],
    ],
)
def test_wrong_use(arguments: list[str]) -> None:
    result = run("say", *arguments)
    assert result.returncode == 2, result.stderr
    assert b"Error: " in result.stderr


def test_where_no_server_is_it_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run("say", "Hi", "-o", tmp_path / "x.wav", "--server", f"http://127.0.0.1:{port}")
    assert result.returncode == 1
    assert b"No server answers at " in result.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off_leaves_no_file(tmp_path: Path, answer: bytes) -> None:
    """Nor does it touch the one that was there."""
    (tmp_path / "x.wav").write_bytes(b"old")
    result = run("say", "Hi", "-o", tmp_path / "x.wav", "--server", answer_once(answer))
    assert result.returncode == 1
    assert b"broke its answer off" in result.stderr
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"502 Bad Gateway\r\n\r\n<p/>", b"answered 502 Bad Gateway"),
        (b'429 No\r\nRetry-After: 7\r\n\r\n{"error": "Full."}', b"Full. Try again in 7 s."),
    ],
)
def test_other_answers(tmp_path: Path, answer: bytes, sentence: bytes) -> None:
    """A proxy's page, and a refusal that passes."""
    result = run("say", "Hi", "-o", tmp_path / "x", "--server", answer_once(b"HTTP/1.1 " + answer))
    assert (result.returncode, sentence in result.stderr) == (1, True), result.stderr


def test_ctrl_c_ends_the_request(server: Server, tmp_path: Path) -> None:
    """The model is free again, the exit code is a shell's, nothing is left."""
    before = endings(server)
    text = f"{TEXT} " * 40
    with started("say", text, "-o", tmp_path / "x.wav", "--server", server.url) as process:
        wait_until(lambda: server.get("/readyz").json()["running"] == 1, 60)
        wait_until(lambda: list(tmp_path.iterdir()))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: endings(server) - before == Counter(client_left=1))


def test_a_disk_that_is_full_is_named(server: Server) -> None:
    """And not taken for the server's fault."""
    result = run("say", "Hi", "-f", "wav", "-o", "/dev/full", "--server", server.url)
    assert result.returncode == 1
    assert b"/dev/full cannot be written: No space left on device." in result.stderr


@pytest.mark.parametrize("words", [f"{TEXT} " * 40, "-"])
def test_a_reader_that_leaves_ends_it_quietly(server: Server, words: str) -> None:
    """As `head` does, also where the text has not come to its end."""
    before = endings(server)
    reading, writing = os.pipe()
    arguments = ("say", words, "-o", "-", "--server", server.url)
    with started(*arguments, stdin=PIPE, stdout=writing) as process:
        os.close(writing)
        assert process.stdin is not None
        process.stdin.write(f"{TEXT} ".encode() * 40)
        process.stdin.flush()
        assert os.read(reading, 4) == b"RIFF"
        os.close(reading)
        assert process.wait(60) == 1
    wait_until(lambda: endings(server) - before == Counter(client_left=1))


def test_a_player_gets_the_samples(server: Server, tmp_path: Path) -> None:
    """Where no file is named; a player that fails is an error."""
    player = tmp_path / "paplay"
    player.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/options\nexec cat > {tmp_path}/played\n')
    player.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = run("say", TEXT, "--seed", 3, "--server", server.url, environ={"PATH": path})
    assert result.returncode == 0, result.stderr
    whole = server.say(TEXT, seed=3, audio_format="pcm").content
    played = np.frombuffer((tmp_path / "played").read_bytes(), "<i2")
    assert_same(played, np.frombuffer(whole, "<i2"))
    assert "--rate=24000" in (tmp_path / "options").read_text()
    player.write_text("#!/bin/sh\nexit 3\n")
    result = run("say", TEXT, "--server", server.url, environ={"PATH": path})
    assert (result.returncode, b"paplay could not play it (exit code 3)" in result.stderr) == (
        1,
        True,
    )


def test_without_a_player_a_file_must_be_named(tmp_path: Path) -> None:
    result = run("say", "Hi", environ={"PATH": str(tmp_path)})
    assert (result.returncode, b"name a file with -o" in result.stderr) == (2, True)


def test_a_terminal_sees_the_progress(server: Server, tmp_path: Path) -> None:
    """How much audio there is, how fast it comes, and the seed to have it again."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    arguments = ("say", TEXT, "-o", tmp_path / "x.wav", "--server", server.url)
    shown = b""
    with started(*arguments, stderr=inner) as process:
        os.close(inner)
        with contextlib.suppress(OSError):  # how Linux ends a terminal
            while piece := os.read(terminal, 65536):
                shown += piece
        os.close(terminal)
        assert process.wait(60) == 0
    assert b"times real time (00:0" in shown
    last = shown.decode().splitlines()[-1]
    assert f"{tmp_path}/x.wav: " in last
    assert "s of audio" in last
    assert "seed " in last


def test_in_process_is_the_same_speech(server: Server, tmp_path: Path) -> None:
    """Same model, seed and text; no server is asked."""
    path = tmp_path / "x.wav"
    options = ("--in-process", "--model", "nano", *ON_A_CPU, "--attn-impl", "sdpa")
    result = run("say", TEXT, "--seed", 3, "-o", path, *options)
    assert result.returncode == 0, result.stderr
    assert b"noise, not speech" in result.stderr
    assert_same(read_wav(path.read_bytes()), read_wav(server.say(TEXT, seed=3).content))


@pytest.mark.slow
def test_in_process_says_what_is_wrong(tmp_path: Path) -> None:
    """One sentence, whether the request or the model is to blame."""
    options = ("--in-process", *ON_A_CPU, "-o", tmp_path / "x.wav")
    refused = run("say", "Hi", "-p", "temperature=99", *options)
    assert (refused.returncode, refused.stderr.count(b"\n")) == (1, 1)
    assert b"temperature: " in refused.stderr
    failed = run("say", "Hi", "--model", "/no/such", *options)
    assert failed.returncode == 1
    assert failed.stderr.count(b"There is no folder '/no/such'") == 1
    assert b"Traceback" not in failed.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "pipe"),
    [
        (["-", "--ssml"], b'Hello <break time="1.5s"/> you.'),
        (["-", "--pause-marks"], b"Hello [pause 1.5s] you."),
    ],
)
def test_pauses_of_a_text(
    server: Server, tmp_path: Path, words: list[str], pipe: bytes | None
) -> None:
    """By SSML, of a pipe which is read to its end then, and by marks in one that is not."""
    path = tmp_path / "a.wav"
    answer = run("say", *words, "-o", path, "--server", server.url, stdin=pipe)
    assert answer.returncode == 0, answer.stderr
    others = np.flatnonzero(np.concatenate([[1], read_wav(path.read_bytes()), [1]]))
    assert (np.diff(others) - 1).max() == 36_000
