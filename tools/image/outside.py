"""Pass the package sources of this machine's pip and apt to a build.

With pip and apt as they come, that is nothing. A machine with a mirror, a proxy, a certificate of
its own, or wheels in a folder names them in its configuration, and the build gets the same.
"""

from __future__ import annotations

import ast
import configparser
import io
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

PIP_OPTIONS = {
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("cert", "client-cert", "proxy", "timeout", "default-timeout", "retries"),
}
"""Of pip's options, those about where packages are and how to get there."""

INSIDE = Path("/run/outside")
"""Where the build sees single files, such as a certificate: at their own path, a package of the
image might want to have its own."""

APT_OPTIONS = re.compile(r"Acquire::(https?::(Proxy|Verify)|Check-|Languages|Retries)")
APT_SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")


@dataclass
class Outside:
    """A pip.conf for the build, and the paths that it needs: host path to path in the build."""

    pip_conf: str = ""
    mounts: dict[Path, Path] = field(default_factory=dict)


def pip_outside() -> Outside:
    """Return the configuration of this machine's pip, from files and the environment."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return outside(listed.stdout)


def outside(pip_config: str) -> Outside:
    """Convert the output of `pip config list` for a build."""
    result = Outside()
    options = {}
    for line in pip_config.splitlines():
        where, _, value = line.partition("=")
        section, _, option = where.rpartition(".")
        # What is for all commands, then for `install`, then in the environment.
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        if rank is not None and option in PIP_OPTIONS:
            options[rank, option] = str(ast.literal_eval(value))
    parser = configparser.RawConfigParser()
    parser["global"] = {
        option: " ".join(_seen_inside(option, word, result.mounts) for word in value.split())
        for (_, option), value in sorted(options.items())
    }
    text = io.StringIO()
    parser.write(text)
    result.pip_conf = text.getvalue()
    return result


def _seen_inside(option: str, word: str, mounts: dict[Path, Path]) -> str:
    """Return the value of an option inside the build, and add the path that it needs."""
    is_url = word.startswith("file://")
    path = Path(unquote(urlsplit(word).path) if is_url else word)
    if not path.is_absolute() or not path.exists():
        return word
    if path.is_file():
        mounts[path] = INSIDE / path.name
        return mounts[path].as_uri() if is_url else str(mounts[path])
    # An index's links may lead to a folder beside it.
    beside = option.endswith("index-url") and path.parent != Path("/")
    folder = path.parent if beside else path
    mounts[folder] = folder
    return word


def apt_options(dumped: str) -> list[str]:
    """Return the lines of `apt-config dump` about access to the archives."""
    return [line for line in dumped.splitlines() if APT_OPTIONS.match(line)]


def apt_sources(etc_apt: Path = Path("/etc/apt")) -> list[Path]:
    """Return the files with the archives of this machine's distribution."""
    return [etc_apt / name for name in APT_SOURCES if (etc_apt / name).is_file()]
