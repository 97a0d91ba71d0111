"""Imports go one way: cli -> server -> routes -> service -> engine -> model -> checkpoints."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "qwen_tts_api"
LAYERS = ["checkpoints", "model", "engine", "service", "routes", "server", "cli"]
# Flask and marshmallow stay in the routes; PyTorch never rises above the engine, but that the
# command line's `doctor` asks it what it sees.
FOREIGN = {
    "checkpoints": {"flask", "marshmallow", "werkzeug"},
    "model": {"flask", "marshmallow", "werkzeug"},
    "engine": {"flask", "marshmallow", "werkzeug"},
    "service": {"flask", "marshmallow", "werkzeug", "torch", "transformers", "qwen_tts"},
    "routes": {"torch", "transformers", "qwen_tts"},
    "server": {"marshmallow", "werkzeug", "torch", "transformers", "qwen_tts"},
    "cli": {"flask", "marshmallow", "werkzeug", "transformers", "qwen_tts", "bench"},
}


def imported_modules(path: Path) -> set[str]:
    """Return every module that a file imports, wherever in the file."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            modules |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return modules


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_is_below(layer: str) -> None:
    """No file of a layer imports a layer above it, nor a library that is not its business."""
    above = LAYERS[LAYERS.index(layer) + 1 :]
    files = list((PACKAGE / layer).rglob("*.py"))
    assert files
    for path in files:
        for module in imported_modules(path):
            assert not any(module.startswith(f"qwen_tts_api.{name}") for name in above), path
            assert module.split(".")[0] not in FOREIGN[layer], path


def test_making_the_application_imports_no_pytorch() -> None:
    """`create_app` has no side effects; PyTorch is imported by the engine's thread."""
    code = (
        "import sys; from qwen_tts_api import create_app; create_app(); "
        "assert not {'torch', 'transformers'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


DIALECTS = {"native": ("native", "coqui"), "openai": ("openai",), "marytts": ("marytts",)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dialect_knows_another(dialect: str) -> None:
    """What they share is in the service, or in a module of the routes that is no dialect's."""
    routes = PACKAGE / "routes"
    own = DIALECTS[dialect]
    files = [
        path for name in own for path in [*routes.glob(f"{name}.py"), *routes.rglob(f"{name}/*.py")]
    ]
    assert files
    others = {name for names in DIALECTS.values() for name in names} - set(own)
    for path in files:
        for module in imported_modules(path):
            parts = module.split(".")
            assert not (parts[:2] == ["qwen_tts_api", "routes"] and set(parts[2:]) & others), path


def test_one_file_knows_opentelemetry() -> None:
    """Whoever does without it has nothing of it imported."""
    knowing = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(module.startswith("opentelemetry") for module in imported_modules(path))
    ]
    assert knowing == ["telemetry/otel.py"]
