"""Which system calls a container may make where its pod says RuntimeDefault."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

PROFILE = Path("/usr/share/containers/seccomp.json")
"""What podman, buildah and CRI-O take; containerd's and Docker's differ little."""

ARCHITECTURES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


def runtime_default() -> dict[str, Any]:
    """Return the profile in runc's words, for a container without any capability."""
    profile = json.loads(PROFILE.read_text())
    machine, architecture = ARCHITECTURES[platform.machine()]
    calls = []
    for rule in profile["syscalls"]:
        needs = rule.get("includes", {})
        if not needs.get("caps") and machine in needs.get("arches", [machine]):
            kept = ("names", "action", "args", "errnoRet")
            calls.append({key: rule[key] for key in kept if rule.get(key) is not None})
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [architecture],
        "syscalls": calls,
    }
