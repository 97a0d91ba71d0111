"""Request many short odd texts over HTTP, and tell which came to no end of their own.

    python -m tools.nano.odd_texts [nano-en | FOLDER] [--requests 1000]

Prints how each kind of text ended, its seconds of audio for each letter, and the texts that ran
away: whose finish reason is not `stop`, or whose audio is far longer than the text. The status is 1
where there is one.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.server import Server
from qwen_tts_api.checkpoints.nano import SPEAKING
from tools.nano.symbols import LETTERS

SEED = 7
CLIENTS = 4
ALLOWED_S, ALLOWED_S_PER_BYTE, ALLOWED_S_PER_WORD = 2.0, 0.25, 0.75

_ROMAN = "I II III IV V VI VII VIII IX X XI XIV XX XXX XL LX LXX XC CC CCC DCC MM MMM MMXXX".split()
_WORDS = "Bowl Louis chapter room yes no hm hmm mm ok www xbox exxon zzz brr psst tsk ugh".split()
_SIGNS = list("!?.,;:'\"-()*&%$#@+=/€£°©™…—½√")
_SCRIPTS = list("我你好是ñéüßøçżЖПяыαωאשبمあアカ한글กखঅ")

Make = Callable[[random.Random], str]

KINDS: dict[str, Make] = {
    "a letter": lambda draw: draw.choice(LETTERS + LETTERS.upper()),
    "a letter again and again": lambda draw: draw.choice(LETTERS) * draw.randint(2, 24),
    "capitals again and again": lambda draw: draw.choice(LETTERS).upper() * draw.randint(2, 8),
    "letters with spaces": lambda draw: " ".join(draw.choices("xxxqzjkw" + LETTERS, k=7)),
    "two letters again and again": lambda draw: (
        "".join(draw.choices(LETTERS, k=2)) * draw.randint(2, 8)
    ),
    "consonants": lambda draw: "".join(draw.choices("bcdfghjklmnpqrstvwxz", k=draw.randint(1, 12))),
    "a Roman numeral": lambda draw: draw.choice(_ROMAN),
    "a word and a numeral": lambda draw: f"{draw.choice(_WORDS)} {draw.choice(_ROMAN)}",
    "a short word": lambda draw: draw.choice(_WORDS),
    "a number": lambda draw: str(draw.randint(0, 10 ** draw.randint(1, 9))),
    "signs and a letter": lambda draw: (
        "".join(draw.choices(_SIGNS, k=draw.randint(1, 6))) + draw.choice(LETTERS)
    ),
    "a letter and signs": lambda draw: (
        draw.choice(LETTERS) + "".join(draw.choices(_SIGNS, k=draw.randint(1, 6)))
    ),
    "a character of another script": lambda draw: draw.choice(_SCRIPTS),
    "several scripts": lambda draw: "".join(
        draw.choices([*_SCRIPTS, *LETTERS, " "], k=draw.randint(2, 10))
    ),
}


@dataclass(frozen=True)
class Told:
    """What became of a text: its finish reason, or the error's code, and its audio's length."""

    kind: str
    text: str
    reason: str
    seconds: float

    @property
    def ran_away(self) -> bool:
        """Whether it came to no end of its own."""
        # A digit is a word or two, and so is a capital that is spelled (W).
        words = sum(char.isdigit() or char.isupper() for char in self.text)
        allowed_s = ALLOWED_S + ALLOWED_S_PER_BYTE * len(self.text.encode())
        allowed_s += ALLOWED_S_PER_WORD * words
        return self.reason in ("length", "loop") or self.seconds > allowed_s


def texts(count: int, seed: int = SEED) -> list[tuple[str, str]]:
    """Return texts of all kinds in turn, each with its kind; the same ones for the same seed."""
    draw, kinds = random.Random(seed), list(KINDS)
    named = (kinds[index % len(kinds)] for index in range(count))
    return [(kind, KINDS[kind](draw)) for kind in named]


def ask(server: Server, count: int) -> list[Told]:
    """Request so many texts, with a seed each."""

    def one(item: tuple[int, tuple[str, str]]) -> Told:
        number, (kind, text) = item
        answer = server.say(text, seed=number, speaker=("ryan", "serena")[number % 2])
        if answer.status_code != 200:
            return Told(kind, text, answer.json()["code"], 0.0)
        seconds = float(answer.headers["X-Audio-Duration"])
        return Told(kind, text, answer.headers["X-Finish-Reason"], seconds)

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(one, enumerate(texts(count))))


def summary(told: list[Told]) -> str:
    """Return a table of what became of each kind, and the texts that ran away."""
    by_kind = defaultdict(list)
    for each in told:
        by_kind[each.kind].append(each)
    lines = [f"{'kind':32} {'s a letter':>10} {'longest s':>9}  ends"]
    for kind, answers in by_kind.items():
        seconds = sum(one.seconds for one in answers)
        letters = sum(len(one.text) for one in answers if one.seconds)
        longest = max(one.seconds for one in answers)
        reasons = Counter(one.reason for one in answers)
        ends = ", ".join(f"{reason} {num}" for reason, num in reasons.items())
        lines.append(f"{kind:32} {seconds / max(letters, 1):10.3f} {longest:9.2f}  {ends}")
    away = [each for each in told if each.ran_away]
    lines += [f"ran away: {each.text!r} ({each.reason}, {each.seconds:.1f} s)" for each in away]
    lines.append(f"{len(told)} requests, of which {len(away)} ran away")
    return "\n".join(lines)


def main() -> None:
    """Ask a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default=SPEAKING)
    parser.add_argument("--requests", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "server.log", QWEN_MODEL_ID=arguments.model)
        try:
            while not server.is_ready():
                time.sleep(0.2)
            told = ask(server, arguments.requests)
        finally:
            server.stop()
    print(summary(told))
    sys.exit(any(each.ran_away for each in told))


if __name__ == "__main__":
    main()
