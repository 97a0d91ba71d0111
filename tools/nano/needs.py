"""Print the packages of pyproject.toml's extra `nano`, a line each, for pip."""

from __future__ import annotations

from pathlib import Path

from pip._vendor import tomli

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Print them."""
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(*project["optional-dependencies"]["nano"], sep="\n")


if __name__ == "__main__":
    main()
