"""How much of a machine's own memory may still be taken, by all who could refuse it.

    min(MemAvailable, limit - use + page cache, RLIMIT_AS - VmSize)

with the second term for every control group that the process is in, from its own up to the root:
a container's limit lies above the group that a shell or systemd makes inside it.

The page cache counts as free, as it does in the kernel's MemAvailable: a group that reaches its
limit drops the files it has read before anything is killed. A checkpoint that was just downloaded
or read lies in there whole, so that without it a model would be refused for its own file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_FILES = {
    "v2": ("memory.max", "memory.current", ("active_file", "inactive_file")),
    "v1": (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        ("total_active_file", "total_inactive_file"),
    ),
}


def free_host_bytes(root: Path = Path("/")) -> int:
    """Return how many bytes this process may still take; `root` is where /proc and /sys are.

    Where the system does not tell (macOS, which pages out to a disk), that is all that there is.
    """
    available = _read_table(root / "proc/meminfo").get("MemAvailable")
    if available is None:
        available = total_host_bytes()
    return max(0, min([available, *_free_in_groups(root), *_free_addresses(root)]))


def total_host_bytes() -> int:
    """Return how much memory the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _free_in_groups(root: Path) -> Iterator[int]:
    for version, folder in _groups(root):
        limit_name, use_name, cache_names = _FILES[version]
        limit, use = _read_number(folder / limit_name), _read_number(folder / use_name)
        if limit is None or use is None:
            continue  # the root has no limit, and what is not mounted here has no files
        table = _read_table(folder / "memory.stat")
        yield limit - use + sum(table.get(name, 0) for name in cache_names)


def _free_addresses(root: Path) -> Iterator[int]:
    """Yield what `ulimit -v` leaves to this process, where there is such a limit."""
    limit = re.search(r"^Max address space +(\d+)", _read_text(root / "proc/self/limits"), re.M)
    use_kb = re.search(r"^VmSize:\s+(\d+) kB", _read_text(root / "proc/self/status"), re.M)
    if limit and use_kb:
        yield int(limit[1]) - 1024 * int(use_kb[1])


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the control groups of this process that count memory, the innermost first.

    /proc/self/cgroup has lines `hierarchy:controllers:path`. In a container the path may be the
    host's, of which only the root is mounted; then that is the container's own group.
    """
    mounts = root / "sys/fs/cgroup"
    for line in _read_text(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            version, mount = "v2", mounts
        elif "memory" in controllers.split(","):
            version, mount = "v1", mounts / "memory"
        else:
            continue
        own = PurePosixPath(path)
        for group in (own, *own.parents):
            yield version, mount / group.relative_to(group.anchor)


def _read_number(path: Path) -> int | None:
    """Return a file's number; None where there is none: no such file, or no limit (`max`)."""
    text = _read_text(path).strip()
    return int(text) if text.isdecimal() else None


def _read_table(path: Path) -> dict[str, int]:
    """Read lines of `name number`, or `name: number kB`, in bytes."""
    numbers: dict[str, int] = {}
    for line in _read_text(path).splitlines():
        match line.split():
            case [name, value]:
                numbers[name.removesuffix(":")] = int(value)
            case [name, value, "kB"]:
                numbers[name.removesuffix(":")] = int(value) * 1024
    return numbers


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
