"""Checks of Python, the installed packages and the settings."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from qwen_tts_api.cli.doctor.findings import Finding, error, ok, warning
from qwen_tts_api.cli.doctor.subject import Subject
from qwen_tts_api.config import PREFIX
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.api_keys import ApiKeys
from qwen_tts_api.service.text.pronunciation_file import read_pronunciations

DISTRIBUTION = "qwen-tts-api"


def check_python(subject: Subject) -> Iterator[Finding]:
    """Check that the package supports this version of Python."""
    version = platform.python_version()
    try:
        allowed = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    except metadata.PackageNotFoundError:
        yield warning(
            f"{version}; {DISTRIBUTION} runs from a folder and is not installed.",
            "Install it (make setup), so that versions can be checked.",
        )
        return
    if SpecifierSet(allowed).contains(version, prereleases=True):
        yield ok(f"{version}, {sys.executable}")
    else:
        yield error(f"Python {version} is not supported.", f"Use one that is {allowed}.")


def check_packages(subject: Subject) -> Iterator[Finding]:
    """Check that the requirements of the package are installed, in allowed versions."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return  # reported by `check_python`
    requirements = [Requirement(line) for line in lines]
    meant = [
        need for need in requirements if not need.marker or need.marker.evaluate({"extra": ""})
    ]
    findings = [finding for need in meant for finding in check_requirement(need)]
    yield from findings or [ok(f"{len(meant)} requirements are met")]


def check_requirement(requirement: Requirement) -> Iterator[Finding]:
    """Yield an error if a requirement is not met."""
    advice = f"Install {requirement.name}{requirement.specifier} (make setup)."
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        yield error(f"{requirement.name} is not installed.", advice)
        return
    if not requirement.specifier.contains(version, prereleases=True):
        yield error(
            f"{requirement.name} {version} is installed, not {requirement.specifier}.", advice
        )


def check_settings(subject: Subject) -> Iterator[Finding]:
    """Check that every setting is known and valid, and that the files they name can be read."""
    wrong = [*subject.wrong_settings, *_wrong_files(subject)]
    for sentence in wrong:
        yield error(sentence, "")
    if not wrong:
        names = [name for name in sorted(subject.environ) if name.startswith(PREFIX)]
        yield ok(f"{', '.join(names) or 'none'} set; the others by default")


def _wrong_files(subject: Subject) -> Iterator[str]:
    readers = {"api_keys_file": ApiKeys, "pronunciations": read_pronunciations}
    for name, read in readers.items():
        path = getattr(subject.config, name)
        try:
            if path is not None:
                read(path)
        except ConfigError as failure:
            yield str(failure)
