"""Run the soak test, print its progress, and write bench/results/soak.json."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.__main__ import write_result
from bench.soak.clients.typist import learn_live
from bench.soak.crowd import Crowd
from bench.soak.life import DEATHS, SIGNALS, Lives
from bench.soak.report import MIN_LEVELS, Ticker, summarise, table
from bench.soak.target import SEEDS

ROUNDS = 3
"""Rounds of load in one life of the server; its size is noted after each, if it can be judged."""


def soak(
    folder: Path,
    *,
    seconds: float,
    clients: int,
    faults: float,
    deaths: int,
    seed: int,
    rounds: int = ROUNDS,
    seeds: int = SEEDS,
) -> dict[str, Any]:
    """Run the soak test against a server; return its results.

    Args:
        folder: For its logs and voices.
        seconds: Of load, over all rounds.
        clients: How many there are, beside one that fuzzes.
        faults: Share of the model's calls that fail.
        deaths: How often the server dies, in one way after the other.
        seed: Of all that is chosen.
        rounds: In each life.
        seeds: Of each text that is spoken in a voice.
    """
    rng = random.Random(seed)
    lives = Lives(folder, faults, seed, clients)
    crowd = Crowd(lives.target, lives.outages, lives.ops_url, seed)
    try:
        lives.target.learn(seeds)
        learn_live(lives.target)
        levels = []
        num_rounds = rounds * (deaths + 1)
        with Ticker(lives, crowd):
            for number in range(num_rounds):
                round_s = seconds / num_rounds
                dies = number % rounds == rounds - 1 and lives.number < deaths
                after_s = rng.uniform(0.2, 0.6) * round_s

                def during(dies: bool = dies, after_s: float = after_s) -> None:
                    for signals in range(len(SIGNALS)):
                        time.sleep(after_s / len(SIGNALS))
                        lives.annoy(signals)
                    if dies:
                        lives.die(DEATHS[lives.number % len(DEATHS)])

                crowd.load(round_s, clients, number, during)
                if rounds >= MIN_LEVELS:
                    levels.append(lives.settled_level())
        crowd.close()
        lives.end()
        return summarise(lives, crowd, levels)
    finally:
        crowd.close()
        lives.kill()


def main() -> None:
    """Print and write the results; fail if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--faults", type=float, default=0.02, help="share of calls that fail")
    parser.add_argument("--deaths", type=int, default=2, help="of the server, on the way")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = soak(
            Path(folder),
            seconds=60 * options.minutes,
            clients=options.clients,
            faults=options.faults,
            deaths=options.deaths,
            seed=options.seed,
        )
    write_result("soak", {**vars(options), **result})
    print(table(result))
    sys.exit(1 if result["missed"] else 0)


if __name__ == "__main__":
    main()
