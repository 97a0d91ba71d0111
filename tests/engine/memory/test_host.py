"""What a CPU's memory still has room for, as the kernel and the container's limits tell it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwen_tts_api.engine.memory import planning
from qwen_tts_api.engine.memory.host import free_host_bytes

GIB = 2**30

MEMINFO = """MemTotal:       24684096 kB
MemFree:          178256 kB
MemAvailable:   20971520 kB
HugePages_Total:       0
"""


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def group_v2(folder: str, limit: object, use: int, **stat: int) -> dict[str, object]:
    table = "\n".join(f"{name} {value}" for name, value in stat.items())
    where = f"sys/fs/cgroup/{folder}".rstrip("/")
    return {
        f"{where}/memory.max": limit,
        f"{where}/memory.current": use,
        f"{where}/memory.stat": table,
    }


def group_v1(folder: str, limit: int, use: int, **stat: int) -> dict[str, object]:
    table = "\n".join(f"{name} {value}" for name, value in stat.items())
    where = f"sys/fs/cgroup/memory/{folder}".rstrip("/")
    return {
        f"{where}/memory.limit_in_bytes": limit,
        f"{where}/memory.usage_in_bytes": use,
        f"{where}/memory.stat": table,
    }


def machine(root: Path, cgroup: str, **files: object) -> Path:
    return write(root, {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup} | files)


def test_files_that_were_read_are_no_obstacle(tmp_path: Path) -> None:
    """0.17 GiB are free and 20 available: the page cache goes when it is wanted."""
    assert free_host_bytes(machine(tmp_path, "0::/")) == 20 * GIB


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    """v2: the files in its page cache are no use, and other memory is."""
    use = {"anon": 2 * GIB, "active_file": GIB // 2, "inactive_file": GIB // 2, "shmem": GIB}
    root = machine(tmp_path, "0::/", **group_v2("", 8 * GIB, 4 * GIB, **use))
    assert free_host_bytes(root) == 5 * GIB


@pytest.mark.parametrize(("limit", "free_gib"), [("unlimited", 20), (5 * GIB, 3), (GIB, 0)])
def test_a_limit_of_addresses_counts(tmp_path: Path, limit: object, free_gib: int) -> None:
    """`ulimit -v`: what is mapped counts, used or not."""
    files = {
        "proc/self/limits": f"Max address space         {limit}            unlimited       bytes",
        "proc/self/status": f"Name:\tpython\nVmSize:\t {2 * GIB // 1024} kB\n",
    }
    assert free_host_bytes(machine(tmp_path, "0::/", **files)) == free_gib * GIB


def test_a_limit_further_up_counts(tmp_path: Path) -> None:
    """The tightest of all groups from the process's own to the root."""
    files = group_v2("pod/shell", "max", GIB) | group_v2("pod", 6 * GIB, 4 * GIB)
    root = machine(tmp_path, "0::/pod/shell", **files)
    assert free_host_bytes(root) == 2 * GIB
    write(root, group_v2("pod/shell", 3 * GIB, 2 * GIB))
    assert free_host_bytes(root) == GIB


def test_the_older_interface_is_known(tmp_path: Path) -> None:
    """v1: with other hierarchies beside it, and a number where there is no limit."""
    cgroup = "12:pids:/\n5:cpu,cpuacct:/pod\n4:memory:/pod\n1:name=systemd:/\n0::/"
    files = group_v1("", 2**63 - 4096, 9 * GIB) | group_v1(
        "pod", 4 * GIB, 3 * GIB, total_inactive_file=GIB, inactive_file=1, total_rss=2 * GIB
    )
    assert free_host_bytes(machine(tmp_path, cgroup, **files)) == 2 * GIB


def test_a_path_of_the_host_is_the_container_s_root(tmp_path: Path) -> None:
    """Without a namespace of groups, the process is told a path that is not mounted."""
    root = machine(tmp_path, "4:memory:/docker/0123abcd", **group_v1("", 4 * GIB, 3 * GIB))
    assert free_host_bytes(root) == GIB


def test_a_limit_that_is_exceeded_leaves_nothing(tmp_path: Path) -> None:
    """It may be lowered while memory is in use."""
    assert free_host_bytes(machine(tmp_path, "0::/", **group_v2("", GIB, 2 * GIB))) == 0


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    """All memory that there is, as macOS would page out what it must."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert free_host_bytes(tmp_path) == total


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan for a CPU is made of this figure."""
    assert 0 < free_host_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(planning, "free_host_bytes", lambda: 20 * GIB)
    assert planning.available_bytes("cpu") == 18 * GIB
