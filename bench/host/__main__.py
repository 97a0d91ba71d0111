"""Measure what the host costs a request and a chunk, however fast the model is.

    python -m bench.host [--clients 1 8 64 128] [--formats pcm mp3 opus] [--json] [--profile]

The server is the real one, and shares the machine's cores with the clients. Its model answers as a
GPU would (`null_runner`): so what is measured are HTTP, JSON, the plan, queues, threads, encoders.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench.__main__ import write_result
from bench.host.measure import CLIENTS, FRAMES, ROUNDS, STREAMED, measure, profile


def table(result: dict[str, Any]) -> str:
    """Return the bursts as lines."""
    lines = ["format  clients  first audio p50 / p95 ms       x  CPU ms a stream"]
    for name, rows in result["bursts"].items():
        for count, row in rows.items():
            lines.append(
                f"{name:7} {count:>7} {row['first audio p50 ms']:13.0f} / "
                f"{row['first audio p95 ms']:5.0f} {row['x']:14.0f} {row['CPU ms a stream']:16.1f}"
            )
    costs = [f"{name}: {cost:g} ms of CPU" for name, cost in result["CPU ms"].items()]
    chunks = [f"a chunk of {name}: {ms:g} ms" for name, ms in result["CPU ms a chunk"].items()]
    return "\n".join([*lines, *costs, *chunks])


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="at once")
    parser.add_argument("--formats", nargs="+", default=STREAMED, choices=STREAMED)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each stream")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print JSON, and write bench/results/")
    parser.add_argument("--profile", action="store_true", help="of a request's thread, only")
    options = parser.parse_args()
    if options.profile:
        print(profile())
        return
    result = measure(options.clients, options.formats, options.frames, options.rounds)
    print(write_result("host", result) if options.json else table(result))


if __name__ == "__main__":
    main()
