"""The documents are true where a test can tell: links, names of settings, codes, formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_tts_api.config import Config

ROOT = Path(__file__).resolve().parent.parent
MAX_README_BYTES = 6144
MAX_LINE = 100
PASSED_OVER = {"QWEN_PORT"}
"""Names that stand for a mistake."""


def files(*folders: str) -> list[Path]:
    """Return the files below folders."""
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()
    )


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


GUIDES = [ROOT / "README.md", *(path for path in files("docs") if path.suffix == ".md")]
DOCUMENTS = sorted(
    {
        *GUIDES,
        *ROOT.glob("*.md"),
        *(path for path in files("bench", "deploy", "tools") if path.suffix == ".md"),
    }
)


def prose(text: str) -> Iterator[str]:
    """Yield the lines outside of fences."""
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield line


def anchors(path: Path) -> set[str]:
    """Return what a link to a heading is called, by GitHub's rule."""
    headings = [line.lstrip("#").strip() for line in prose(path.read_text()) if line[:1] == "#"]
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()).replace(
            " ", "-"
        )
        for heading in headings
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file that is there, and a heading in it."""
    text = "\n".join(prose(path.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize(
    "path",
    [*DOCUMENTS, *files("deploy"), ROOT / "Makefile", ROOT / "Dockerfile"],
    ids=name_of,
)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    """A `QWEN_*` of another name is refused at the start; so it would be by who reads of it."""
    names = set(re.findall(r"(?<![\w$])QWEN_[A-Z0-9_]*[A-Z0-9]\b", path.read_text()))
    assert names - PASSED_OVER <= {f"QWEN_{name.upper()}" for name in Config.__dataclass_fields__}


def test_the_readme_is_short() -> None:
    """What is there, and where the rest is."""
    assert (ROOT / "README.md").stat().st_size <= MAX_README_BYTES


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_prose_is_wrapped(path: Path) -> None:
    """A diff shows what changed; tables, pictures and links that are alone on a line are longer."""
    for line in prose(path.read_text()):
        if not line.startswith(("|", "!")) and " " in line.strip():
            assert len(line) <= MAX_LINE, line


def test_every_document_can_be_found() -> None:
    """From the README, by links."""
    found: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        path = queue.pop()
        if path in found or path.suffix != ".md":
            continue
        found.add(path)
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", path.read_text()):
            if not re.match(r"\w+:", target):
                queue.append((path.parent / target).resolve())
    assert found >= set(GUIDES)
