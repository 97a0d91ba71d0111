"""Measure the code, not what it does: `make figures`.

How many modules there are and how long they and their functions are, how many things are in a
folder, how many files a request enters, how long the README is, and what the tests take.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tools.request_path import PACKAGE, trace_tree

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "bench" / "results" / "code_figures.json"
PERCENTILES = (50, 90, 97)

Figures = dict[str, Any]


def modules(package: Path) -> list[Path]:
    """Return the package's modules, each `__init__.py` too."""
    return sorted(package.rglob("*.py"))


def entries(folder: Path) -> list[Path]:
    """Return what a reader of a folder chooses from: all but `__init__.py` and what is hidden."""
    passed_over = ("__init__.py", "__pycache__")
    return sorted(
        path
        for path in folder.iterdir()
        if path.name not in passed_over and not path.name.startswith(".")
    )


def folders(package: Path) -> list[Path]:
    """Return the package and the folders below it."""
    below = (path for path in package.rglob("*") if path.is_dir())
    return [package, *sorted(path for path in below if path.name != "__pycache__")]


def num_lines(module: Path) -> int:
    """Return how many lines a module has: code, docstrings, comments and blank ones."""
    return len(module.read_text().splitlines())


def functions(module: Path) -> Iterator[tuple[str, int]]:
    """Yield each function's name and its lines, from `def` to its end with its docstring.

    Methods and functions in functions count too, and what is inside one counts for both.
    """
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def percentile(values: list[int], percent: int) -> int:
    """Return the smallest value that is not below `percent` % of them (the nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def measure_tree(tree: Path) -> Figures:
    """Return what can be told of a tree by reading it."""
    package = tree / PACKAGE
    paths = modules(package)
    longest = max(paths, key=num_lines)
    fullest = max(folders(package), key=lambda folder: len(entries(folder)))
    lengths = [length for path in paths for _, length in functions(path)]
    return {
        "modules": len(paths),
        "lines of the largest module": num_lines(longest),
        "largest module": longest.relative_to(tree).as_posix(),
        "entries of the largest folder": len(entries(fullest)),
        "largest folder": fullest.relative_to(tree).as_posix(),
        "functions": len(lengths),
        **{f"lines of functions, p{each}": percentile(lengths, each) for each in PERCENTILES},
        "lines of the longest function": max(lengths),
        "bytes of README.md": (tree / "README.md").stat().st_size,
    }


def time_tests(tree: Path) -> Figures:
    """Return how long `make test` takes, and how many tests pass."""
    began_at = time.monotonic()
    output = subprocess.run(
        ["make", "test", "ARGS="], cwd=tree, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    passed = re.findall(r"(\d+) passed", output)
    return {
        "seconds of make test": round(time.monotonic() - began_at),
        "tests passed": int(passed[-1]),
    }


def commit_of(tree: Path) -> str:
    """Return the commit that a tree is at, with `-dirty` where files differ from it."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.check_output(command, text=True).strip()


def record(measurement: Figures, path: Path = RECORD) -> None:
    """Add a measurement to those that were written down."""
    measurements = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*measurements, measurement], indent=2) + "\n")


def main() -> None:
    """Measure a tree of the project: its code, one request's way through it, its README."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tree", type=Path, default=ROOT, help="a checkout of another commit")
    parser.add_argument("--time-tests", action="store_true", help="run `make test` as well")
    parser.add_argument("--record", action="store_true", help=f"add to {RECORD.relative_to(ROOT)}")
    options = parser.parse_args()
    tree = options.tree.resolve()
    figures = measure_tree(tree) | trace_tree(tree)["figures"]
    if options.time_tests:
        figures |= time_tests(tree)
    measurement = {
        "commit": commit_of(tree),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "figures": figures,
    }
    for name, value in figures.items():
        print(f"{name:30} {value}")
    print(json.dumps(measurement))
    if options.record:
        record(measurement)


if __name__ == "__main__":
    main()
