"""Measure what the host costs a request and a chunk, however fast the model is.

    python -m bench.host [--clients 1 8 64 128] [--formats pcm mp3 opus] [--json]
    python -m bench.host --calls | --profile

The server is the real one, and shares the machine's cores with the clients. Its model answers as a
GPU would (`null_runner`): so what is measured are HTTP, JSON, the plan, queues, threads, encoders.
Beside each figure is what a fixed loop of Python takes at that moment (`bench.calibration`).
"""

from __future__ import annotations

import argparse
import functools
import signal
import sys

from bench.__main__ import write_result
from bench.host.calls import count_calls
from bench.host.measure import BURSTS, FRAMES, ROUNDS, STREAMED, measure, profile


def main() -> None:
    """Print what is measured, as it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", help="at once, of each format")
    parser.add_argument("--formats", nargs="+", default=list(BURSTS), choices=STREAMED)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each stream")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="of each burst, if there is time"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and write bench/results/")
    parser.add_argument("--calls", action="store_true", help="of functions a request takes, only")
    parser.add_argument("--profile", action="store_true", help="of a request's thread, only")
    options = parser.parse_args()
    # As an exception, so that the server is stopped, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if options.profile:
        print(profile())
        return
    if options.calls:
        count_calls(report=functools.partial(print, flush=True))
        return
    bursts = {name: options.clients or BURSTS.get(name, (64,)) for name in options.formats}
    report = functools.partial(print, file=sys.stderr if options.json else None, flush=True)
    result = measure(bursts, options.frames, options.rounds, report=report)
    if options.json:
        print(write_result("host", result))


if __name__ == "__main__":
    main()
