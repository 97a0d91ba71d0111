"""The documents are true where a test can tell: links, names of settings, codes, formats."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import qwen_tts_api
from bench import sizing
from qwen_tts_api.audio import FORMATS
from qwen_tts_api.config import Config
from qwen_tts_api.engine.memory import planning
from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.apis.openai.names import FIELDS
from qwen_tts_api.routes.apis.openai.schema import OpenAISpeechSchema
from qwen_tts_api.routes.openapi.operations import (
    INTERNAL_ERROR,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    codes_of,
)
from qwen_tts_api.routes.speech.ranges import GET_ERRORS
from qwen_tts_api.routes.speech.response import SPEECH_HEADERS
from qwen_tts_api.routes.speech.schema import SpeechSchema
from qwen_tts_api.service.api_keys import ApiKeys
from qwen_tts_api.service.metrics import build_metrics
from qwen_tts_api.telemetry.metrics import Metrics
from tests.conftest import Bench
from tests.rows import for_each
from tools import document_tables
from tools.document_manifests import write_manifests

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


@for_each("path", DOCUMENTS)
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


@for_each(
    "path",
    [*DOCUMENTS, *files("deploy"), ROOT / "Makefile", ROOT / "Dockerfile"],
)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    """A `QWEN_*` of another name is refused at the start; so it would be by who reads of it."""
    names = set(re.findall(r"(?<![\w$])QWEN_[A-Z0-9_]*[A-Z0-9]\b", path.read_text()))
    assert names - PASSED_OVER <= {f"QWEN_{name.upper()}" for name in Config.__dataclass_fields__}


def test_the_readme_is_short() -> None:
    """What is there, and where the rest is."""
    assert (ROOT / "README.md").stat().st_size <= MAX_README_BYTES


@for_each("path", DOCUMENTS)
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


def table(path: str, first: str) -> dict[str, list[str]]:
    """Return a table's rows by each word in backticks of their first cell.

    Args:
        path: Of the document.
        first: The first cell of the table's head.
    """
    _, _, rest = (ROOT / path).read_text().partition(f"\n| {first} |")
    lines = itertools.takewhile(lambda line: line.startswith("|"), rest.splitlines()[1:])
    rows = [re.split(r" *(?<!\\)\| *", line.strip("|").strip()) for line in lines]
    return {name: row[1:] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def test_every_error_is_told_and_no_other() -> None:
    """With its status; what the router and the parser say of themselves, too."""
    told = {code: int(row[0]) for code, row in table("docs/api/native.md", "code").items()}
    ours = {code: status for status, code in codes_of(TTSError)}
    router = {code: status for status, code in (NOT_FOUND, METHOD_NOT_ALLOWED, INTERNAL_ERROR)}
    parts = {code: status for status, code in GET_ERRORS}
    assert told == {**ours, **router, **parts}


def test_the_documents_tell_what_may_be_tried_again() -> None:
    """What is temporary says after how long, and the answer says it in its header."""
    for code, (status, _, again) in table("docs/api/native.md", "code").items():
        passing = status in ("408", "429", "503", "504") or code == "synthesis_failed"
        assert (again == "no") == (not passing), code
        if status in ("429", "503", "504"):
            assert again.startswith("yes, after `Retry-After`"), code


def test_every_format_is_told_and_no_other() -> None:
    rows = table("docs/formats.md", "`audio_format`")
    assert list(rows) == list(FORMATS)
    measured = json.loads((ROOT / "bench" / "results" / "encoders.json").read_text())
    for name, (_, types, speed, *_) in rows.items():
        assert FORMATS[name].media_type in re.findall(r"`([^`]+)`", types)
        figures = measured["result"]["formats"][name]
        slower = min(figures["x"], figures["stream x"])
        assert int(speed) == pytest.approx(slower, rel=0.05), name


@pytest.mark.parametrize(
    "path",
    [
        # What fits on a card is computed from models of every size.
        pytest.param(path, marks=[pytest.mark.slow] if path.name == "sizing.md" else [])
        for path in document_tables.TABLES
    ],
    ids=name_of,
)
def test_tables_that_come_from_the_code_are_the_code_s(path: Path) -> None:
    """`make docs` makes them anew."""
    assert path.read_text() == document_tables.updated(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "card_gib", "positions"), [("1.7B", 8, 512), ("0.6B Base", 8, 512), ("1.7B", 24, 8192)]
)
def test_what_fits_is_what_a_server_plans(
    monkeypatch: pytest.MonkeyPatch, name: str, card_gib: int, positions: int
) -> None:
    """On an empty card where computing takes nothing."""
    model, total = sizing.models()[name], card_gib * planning.GIB
    monkeypatch.setattr(planning, "free_bytes", lambda device: (total - model.num_bytes, total))
    streams = sizing.streams_that_fit(model, card_gib, positions)
    for wanted, enough in ((streams, True), (streams + 1, False)):
        plan = planning.plan_memory(model, wanted, sizing.MAX_POSITIONS, keeps_prefixes=True)
        size = plan.size
        pages = wanted * -(-positions // size.page_positions)
        assert (size.max_slots == wanted and size.num_pages >= pages) == enough


@pytest.mark.slow
def test_a_card_of_8_gb_speaks_to_a_crowd() -> None:
    """1.7B in 16 bits: the default's 32 streams of half a minute each, at the default's length."""
    assert sizing.streams_that_fit(sizing.models()["1.7B"], 8, 512) >= 32
    assert Config().max_streams == 32
    assert Config().max_positions == sizing.MAX_POSITIONS


def test_every_metric_is_told_and_no_other(bench: Bench, tmp_path: Path) -> None:
    """With its type, its labels, and its unit where the name has one."""
    (tmp_path / "keys").write_text("a-key-of-enough-characters")
    keys = ApiKeys(tmp_path / "keys")
    families = {
        family.name: family
        for family in build_metrics(bench.service.status, keys.status).registry.collect()
        if family.name.startswith("qwen_tts_")
    }
    rows = table("docs/operations/observe.md", "name")
    assert {name.removesuffix("_total") for name in rows} == set(families)
    for name, (kind, unit, labels, _) in rows.items():
        family = families[name.removesuffix("_total")]
        assert kind == family.type
        assert name.endswith("_total") == (kind == "counter")
        assert ("_seconds" in name) == (unit == "seconds")
        used = {key for sample in family.samples for key in sample.labels} - {"le"}
        assert used <= set(re.findall(r"`(\w+)`", labels)), name


def test_blocks_to_copy_are_right(tmp_path: Path) -> None:
    """They can be read; what they build on and change is in `deploy`."""
    overlays = write_manifests(tmp_path / "documents")
    assert len(overlays) == 4
    for folder in overlays:
        overlay = yaml.safe_load((folder / "kustomization.yaml").read_text())
        for resource in overlay["resources"]:
            assert (folder / resource / "kustomization.yaml").exists()
        patched = [yaml.safe_load(patch["patch"]) for patch in overlay["patches"]]
        for name in (patch["metadata"]["name"] for patch in patched):
            assert any(f"name: {name}\n" in path.read_text() for path in files("deploy"))


def test_the_modules_of_the_architecture_exist() -> None:
    """Whatever is renamed is renamed there."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`([\w/]+(?:\.py|/))`", text)
    assert len(paths) > 30
    for path in set(paths) - {"qwen_tts_api/"}:
        assert (ROOT / "qwen_tts_api" / path).exists(), path


def test_every_field_of_openai_s_is_told_and_no_other() -> None:
    """By its names; what is there by ours is told of the native API."""
    own = set(OpenAISpeechSchema().fields)
    ours = set(SpeechSchema().fields)
    told = set(table("docs/api/openai.md", "field"))
    names = {FIELDS.get(name, name) for name in own}
    assert told <= names
    assert told >= names - ours


def test_every_metric_is_counted() -> None:
    """Somewhere outside of its definition."""
    modules = [path.read_text() for path in (ROOT / "qwen_tts_api").rglob("*.py")]
    for name in set(vars(Metrics())) - {"registry"}:
        assert any(re.search(rf"metrics\.{name}\.", module) for module in modules), name


def data_classes() -> Iterator[type]:
    """Yield those of the package that say what their attributes are."""
    for module in pkgutil.walk_packages(qwen_tts_api.__path__, "qwen_tts_api."):
        if module.name.rpartition(".")[2] in ("__main__", "wsgi", "otel"):
            continue  # which do something when they are imported, or need what is optional
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            says = dataclasses.is_dataclass(found) and "Attributes:" in (found.__doc__ or "")
            if says and found.__module__ == module.name:
                yield found


def test_docstrings_tell_every_attribute_and_no_other() -> None:
    """A field that is added, renamed or deleted is so in its docstring."""
    for found in data_classes():
        _, _, section = inspect.cleandoc(found.__doc__ or "").partition("\nAttributes:\n")
        section = section.partition("\n\n")[0]
        names = re.findall(r"^    ((?:\w+, )*\w+):", section, re.M)
        told = {name for group in names for name in group.split(", ")}
        public = {each.name for each in dataclasses.fields(found) if each.name[0] != "_"}
        assert told == public, found


OF_OTHERS = {"min_new_tokens", "generate_icl_prompt", "create_voice_clone_prompt"}
OF_OTHERS |= {"extract_speaker_embedding", "_patch_mistral_regex", "max_user_watches"}
OF_OTHERS |= {"with_streaming_response", "similarity_boost", "use_speaker_boost", "page_size"}
OF_OTHERS |= {"snake_case"}
"""What docstrings and comments name of upstream, clients and the system."""


def test_names_in_docstrings_and_comments_exist() -> None:
    """Whatever is renamed is renamed there; a name of two parts in the module that it names."""
    texts = {path: path.read_text() for path in (ROOT / "qwen_tts_api").rglob("*.py")}
    code = re.sub(r"`[^`\n]*`", "", "\n".join(texts.values()))
    words = set(re.findall(r"\w+", code)) | OF_OTHERS
    modules: dict[str, set[str]] = {}
    for path, text in texts.items():
        for name in (path.stem, path.parent.name):  # or a package that has the module
            modules.setdefault(name, set()).update([path.stem, *re.findall(r"\w+", text)])
    for path, text in texts.items():
        named = {name for name in re.findall(r"`(\w*_\w+)`", text) if not name.isupper()}
        assert named <= words, path
        for module, name in re.findall(r"`([a-z_]+)\.(\w+)(?:\(\))?`", text):
            if module in modules and name not in ("py", "json"):
                assert name in modules[module] | {"generate", "codes", "code_0"}, (path, name)


def test_every_header_of_speech_is_told() -> None:
    text = (ROOT / "docs" / "api" / "native.md").read_text()
    assert [name for name in SPEECH_HEADERS if f"`{name}" not in text] == []
