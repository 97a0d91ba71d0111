"""Checks of the machine: folders, disks, shared memory, ports, the limit of open files."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from qwen_tts_api.checkpoints.hub import hub_cache
from qwen_tts_api.checkpoints.nano import NANO_NAMES
from qwen_tts_api.cli.doctor.findings import OK, WARNING, Finding, error, ok
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.config import PREFIX
from qwen_tts_api.config.folders import expand
from qwen_tts_api.errors import ConfigError, LoadError
from qwen_tts_api.server.limits import (
    OPS_CONNECTIONS,
    SPARE_FILES,
    DescriptorBudget,
    raised,
)
from qwen_tts_api.server.listening import listen

GB = 10**9

CHECKPOINT_BYTES = 6 * GB
"""Above the size of the largest published checkpoint: 1.7B in 16 bits, with its codec in 32."""
SMALL_BYTES = GB // 10

SHARED_MEMORY = Path("/dev/shm")


def check_folders(subject: Subject) -> Iterator[Finding]:
    """Check that the server's folders are writable, and that the disk has room."""
    ids = subject.config.served_models.values()
    builds_nano = any(model in NANO_NAMES for model in ids)
    for setting in fields(subject.config):
        folder = getattr(subject.config, setting.name)
        if setting.name.endswith("_dir") and folder is not None:
            is_needed = setting.name != "cache_dir" or builds_nano
            finding = _check_folder(PREFIX + setting.name.upper(), folder, SMALL_BYTES)
            # A server whose checkpoint is elsewhere starts without its cache.
            yield finding if is_needed or finding.level == OK else replace(finding, level=WARNING)
    if any(model not in NANO_NAMES and not _is_folder(model) for model in ids):
        missing = subject.folder is None
        try:
            cache = hub_cache()
        except LoadError as failure:
            yield error(str(failure), "") if missing else ok(f"{failure} None is.")
            return
        needed = CHECKPOINT_BYTES if missing else 0
        yield _check_folder("HF_HUB_CACHE", cache, needed, must_write=missing)


def _is_folder(model_id: str) -> bool:
    try:
        return expand(model_id).is_dir()
    except (OSError, ValueError):
        return True  # not of the hub; reported by `check_files`


def _check_folder(
    name: str, folder: Path, needed_bytes: int, *, must_write: bool = True
) -> Finding:
    """Check a folder by writing a temporary file: permissions do not show read-only disks."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    advice = f"Set {name} to a folder that can be written."
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as failure:
        said = f"{name}={folder} cannot be written: {failure.strerror} ({place})."
        return error(said, advice) if must_write else ok(f"{said} It need not be.")
    free = shutil.disk_usage(place).free
    if free < needed_bytes:
        return error(
            f"{name}={folder} has {free / GB:.2f} GB free, of {needed_bytes / GB:.1f} GB that are "
            "needed.",
            f"Make room, or set {name} to a folder on another disk.",
        )
    return ok(f"{name}={folder}, {free / GB:.1f} GB free")


def check_shared_memory(subject: Subject) -> Iterator[Finding]:
    """Check that the worker's heartbeat file can be in shared memory."""
    if not SHARED_MEMORY.is_dir():
        yield ok("there is none; the worker's heartbeat is a file in the temporary folder")
        return
    try:
        with tempfile.TemporaryFile(dir=SHARED_MEMORY):
            pass
    except OSError as failure:
        yield error(
            f"{SHARED_MEMORY} cannot be written: {failure.strerror}.",
            "Mount it as a tmpfs (docker: --shm-size; Kubernetes: an emptyDir in memory).",
        )
        return
    yield ok(f"{SHARED_MEMORY}, {shutil.disk_usage(SHARED_MEMORY).free / GB:.1f} GB free")


def check_port(subject: Subject) -> Iterator[Finding]:
    """Check that the ports are free."""
    for setting in fields(subject.config):
        address = getattr(subject.config, setting.name)
        if setting.name.endswith("bind") and address:
            yield _check_address(PREFIX + setting.name.upper(), address)


def _check_address(name: str, address: str) -> Finding:
    try:
        listen(name, address).close()
    except ConfigError as failure:
        return error(str(failure), "")
    return ok(f"{address} is free")


def check_open_files(subject: Subject) -> Iterator[Finding]:
    """Check that each thread may have a connection open, under the limit that the server sets."""
    limit = raised(*resource.getrlimit(resource.RLIMIT_NOFILE))
    connections = DescriptorBudget.under(limit).main_connections
    threads = subject.config.num_threads
    said = f"{'any number' if limit == resource.RLIM_INFINITY else limit} may be open"
    if connections < threads:
        needed = threads + SPARE_FILES + OPS_CONNECTIONS
        yield error(
            f"{said}: room for {connections} connections, and {threads} threads have one each.",
            f"Allow {needed} (`ulimit -n {needed}`), or set QWEN_MAX_STREAMS or QWEN_MAX_QUEUE "
            "lower.",
        )
        return
    yield ok(f"{said}: room for {connections} connections, and {OPS_CONNECTIONS} on the ops port")
