"""Step 6: evaluate intelligibility: server, then speech recognition.

    python -m tools.nano.evaluate FOLDER [--list fresh] [--speakers ryan serena] [--wavs DIR]

Prints the word error rate of every speaker, and what was misheard.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import soundfile

from bench.server import Server
from tools.nano.judge import judge, load_whisper, words
from tools.nano.settings import Array, folder
from tools.nano.text import SENTENCES, sentences
from tools.nano.voices import VOICES

_NUM_WAVS = 5


def speaker(server: Server, name: str) -> Callable[[str], tuple[Array, int]]:
    """Return a function that synthesizes a sentence with the server."""

    def speak(sentence: str) -> tuple[Array, int]:
        response = server.say(sentence, speaker=name, seed=1)
        response.raise_for_status()
        samples, rate_hz = soundfile.read(io.BytesIO(response.content), dtype="float32")
        return samples, rate_hz

    return speak


def main() -> None:
    """Evaluate one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", choices=SENTENCES, default=SENTENCES[0])
    parser.add_argument("--sentences", type=int, default=100, help="at most so many")
    parser.add_argument("--speakers", nargs="+", default=list(VOICES))
    parser.add_argument("--wavs", type=Path, help="where to write a few files to listen to")
    arguments = parser.parse_args()
    chosen = sentences(arguments.list)[: arguments.sentences]
    server = Server(
        folder("logs") / "evaluation.log", QWEN_MODEL_ID=str(arguments.folder.resolve())
    )
    try:
        while not server.is_ready():
            time.sleep(0.2)
        whisper, rates = load_whisper(), []
        for name in arguments.speakers:
            verdict = judge(whisper, chosen, speaker(server, name))
            rates.append(verdict.word_error_rate)
            print(f"{name}: word error rate {rates[-1]:.3f}")
            for said, heard in zip(chosen, verdict.heard, strict=True):
                if words(said) != words(heard):
                    print(f"    {said} | {heard}")
        print(f"all: word error rate {sum(rates) / len(rates):.3f}")
        if arguments.wavs:
            _write_wavs(server, arguments.wavs, chosen)
    finally:
        server.stop()


def _write_wavs(server: Server, folder: Path, chosen: list[str]) -> None:
    """Write some of the sentences, the speakers taking turns."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(VOICES)
    for index, sentence in enumerate(chosen[:_NUM_WAVS]):
        name = names[index % len(names)]
        response = server.say(sentence, speaker=name, seed=1)
        (folder / f"{index + 1}-{name}.wav").write_bytes(response.content)


if __name__ == "__main__":
    main()
