"""The table of checks, in the order in which they run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from qwen_tts_api.cli.doctor import checkpoints, computing, encoders, installation, machine
from qwen_tts_api.cli.doctor.findings import Finding, error
from qwen_tts_api.cli.doctor.subject import Subject

logger = logging.getLogger(__name__)

Check = Callable[[Subject], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "python": installation.check_python,
    "packages": installation.check_packages,
    "settings": installation.check_settings,
    "pytorch": computing.check_pytorch,
    "device": computing.check_device,
    "dtype": computing.check_dtype,
    "attention": computing.check_attention,
    "kernels": computing.check_kernels,
    "checkpoint": checkpoints.check_files,
    "defaults": checkpoints.check_defaults,
    "memory": checkpoints.check_memory,
    "folders": machine.check_folders,
    "shared mem.": machine.check_shared_memory,
    "port": machine.check_port,
    "open files": machine.check_open_files,
    "encoders": encoders.check_encoders,
}


def examine(subject: Subject) -> Iterator[Finding]:
    """Run every check; an exception in one is a finding, and the others still run."""
    for name, check in CHECKS.items():
        try:
            findings = list(check(subject))
        except Exception as failure:  # a broken installation may raise anything
            logger.debug("checking %s failed", name, exc_info=True)
            findings = [error(f"This could not be checked: {failure!r}.", "")]
        for finding in findings:
            yield finding.of(name)
