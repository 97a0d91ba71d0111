"""Outputs for audio: a file, written atomically; standard output; a player."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import click

from qwen_tts_api.audio import DEFAULT_FORMAT, FORMATS
from qwen_tts_api.audio.formats import of_suffix

STANDARD_STREAM = "-"

Write = Callable[[bytes], object]

NATIVE_RATE_HZ = 24_000
"""`model.utterance.SAMPLE_RATE_HZ`, without the import of numpy."""

UNKNOWN_SIZE = 0xFFFFFFFF
MAX_WAV_HEADER_BYTES = 4096
"""Within which its samples begin: what is said of them comes before."""
COMPLETED_FORMAT = "wav"
"""The format whose sizes `to_file` fills in."""

# Programs that play 16-bit samples from standard input, and how each is told.
PLAYERS = {
    "paplay": "--raw --format=s16le --rate={rate_hz} --channels=1",
    "aplay": "-q -t raw -f S16_LE -r {rate_hz} -c 1 -",
    "ffplay": "-nodisp -autoexit -loglevel error -f s16le -sample_rate {rate_hz} -i -",
    "play": "-q -t raw -e signed -b 16 -c 1 -r {rate_hz} -",
}
# macOS's, which plays files only.
FILE_PLAYER = "afplay"


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[Write]:
    """Write to a temporary file, which is renamed when it is complete.

    A WAV whose sizes were not known when it began gets them at the end.

    Raises:
        click.ClickException: It cannot be written.
    """
    if path.exists() and not path.is_file():  # a pipe or a device, which cannot be renamed over
        with _explained(path), path.open("wb") as stream:
            yield stream.write
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _explained(path), part.open("wb+") as file:
            yield file.write
            _complete_wav(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def to_stdout() -> Iterator[Write]:
    """Write to standard output, unbuffered."""

    def write(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    yield write


def find_player() -> str:
    """Return the first installed program that plays audio.

    Raises:
        click.UsageError: There is none.
    """
    for name in (*PLAYERS, FILE_PLAYER):
        if shutil.which(name):
            return name
    raise click.UsageError(
        f"There is no program to play audio ({', '.join((*PLAYERS, FILE_PLAYER))}): "
        "name a file with -o."
    )


@contextlib.contextmanager
def to_player(name: str, rate_hz: int) -> Iterator[Write]:
    """Pipe 16-bit samples to a player (FILE_PLAYER gets a WAV file), and wait until it exits.

    Raises:
        click.ClickException: The player fails.
    """
    if name == FILE_PLAYER:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            with to_file(path) as write:
                yield write
            _check_player(name, subprocess.call([name, str(path)]))
        return
    arguments = PLAYERS[name].format(rate_hz=rate_hz).split()
    player = subprocess.Popen([name, *arguments], stdin=subprocess.PIPE)
    assert player.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # its exit code says why
            yield player.stdin.write
            player.stdin.close()
        _check_player(name, player.wait())
    finally:
        player.kill()


def _check_player(name: str, exit_code: int) -> None:
    if exit_code:
        raise click.ClickException(
            f"{name} could not play it (exit code {exit_code}): name a file with -o."
        )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


def _complete_wav(file: IO[bytes]) -> None:
    """Fill the sizes into a WAV header that has none."""
    size = file.tell()
    file.seek(0)
    header = file.read(MAX_WAV_HEADER_BYTES)
    unknown = struct.pack("<I", UNKNOWN_SIZE)
    data_at = header.find(b"data" + unknown)
    if header[:8] != b"RIFF" + unknown or data_at < 0:
        return
    for position, num_bytes in ((4, size - 8), (data_at + 4, size - data_at - 8)):
        file.seek(position)
        file.write(struct.pack("<I", min(num_bytes, UNKNOWN_SIZE)))


def format_of(output: str | None, player: str) -> str:
    """Return the name of the format that an output wants; of a file, what its name ends in."""
    if output is None:
        return COMPLETED_FORMAT if player == FILE_PLAYER else "pcm"
    suffix = Path(output).suffix.removeprefix(".").lower()
    known = of_suffix(suffix)
    return known.name if known else suffix or DEFAULT_FORMAT


def is_streamed(name: str, *, to_file: bool) -> bool:
    """Return whether an output takes the audio as it is made, by default.

    Into a file if it is then the same file: bare samples, or a header that is completed here.
    """
    known = FORMATS.get(name)
    if known is None:  # the server may be newer
        return not to_file
    if not to_file:
        return known.streams
    return known.name == COMPLETED_FORMAT or bool(known.sample_bytes and not known.has_header)


def open_output(
    output: str | None, player: str, rate_hz: int
) -> contextlib.AbstractContextManager[Write]:
    """Open a file, STANDARD_STREAM, or where there is neither the player."""
    if output is None:
        return to_player(player, rate_hz)
    return to_stdout() if output == STANDARD_STREAM else to_file(Path(output))
