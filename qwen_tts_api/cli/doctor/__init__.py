"""`doctor`: check whether a server would start here, without a network."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click

from qwen_tts_api.cli.doctor.findings import COLOURS, ERROR, WARNING, Finding
from qwen_tts_api.cli.exits import EXIT_FAILED
from qwen_tts_api.cli.settings import setting_options


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@setting_options()
def doctor(as_json: bool, options: dict[str, str]) -> None:
    """Check this machine, the installation, the settings and the checkpoint.

    Every line is a finding, with what to do about it; the last one is the verdict. Exits with 0 if
    a server would start, with 1 if not. Nothing is loaded onto the device.
    """
    from qwen_tts_api.cli.doctor.checks import examine
    from qwen_tts_api.cli.doctor.subject import Subject

    subject = Subject.from_env({**os.environ, **options})
    findings: list[Finding] = []
    for finding in examine(subject):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    is_ready, verdict = judge(findings, subject.description)
    if as_json:
        document = {"ready": is_ready, "verdict": verdict, "findings": list(map(asdict, findings))}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        click.secho(verdict, bold=True)
    if not is_ready:
        raise click.exceptions.Exit(EXIT_FAILED)


def judge(findings: Sequence[Finding], description: str) -> tuple[bool, str]:
    """Return whether a server would start, and the verdict as a sentence."""
    numbers = Counter(finding.level for finding in findings)
    warnings = _count(numbers[WARNING], "warning")
    if numbers[ERROR]:
        return False, f"Not ready: {_count(numbers[ERROR], 'thing')} to mend, {warnings}."
    return True, f"Ready to serve {description}, {warnings}."


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"


def _line(finding: Finding) -> str:
    level = click.style(f"{finding.level:8}", fg=COLOURS[finding.level])
    return f"{level} {finding.check:12} {finding.message} {finding.advice}".rstrip()
