"""Imports go one way, through every module; folders, modules and functions stay short.

cli -> server -> routes -> service -> engine -> model -> checkpoints. Beside the engine is `audio`,
which makes files of samples and knows of no model. Below all are telemetry, config and errors.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.rows import for_each
from tools.code_figures import entries, folders, functions, modules, num_lines

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "qwen_tts_api"

LAYERS = {
    "": [],  # `qwen_tts_api` itself, which has the version
    "names": [""],
    "errors": ["names"],
    "files": ["errors"],
    "config": ["files"],
    "telemetry": ["config"],
    "audio": ["telemetry"],
    "checkpoints": ["telemetry"],
    "model": ["checkpoints"],
    "engine": ["model"],
    "service": ["engine", "audio"],
    "routes": ["service"],
    "server": ["routes"],
    "cli": ["server"],
}
"""Each folder and module of the package, with what is next below: it may import all below it."""

LIBRARIES = {
    "apispec": ["routes"],
    "bench": [],
    "click": ["cli"],
    "flask": ["routes", "server.ops"],
    "gunicorn": ["server", "routes.bodies.body"],
    "huggingface_hub": ["checkpoints.hub"],
    "marshmallow": ["routes"],
    "opentelemetry": ["telemetry.otel"],
    "prometheus_client": ["telemetry.metrics", "service.metrics"],
    # Never above the engine, but that the command line's `doctor` asks it what it sees.
    "torch": ["engine", "model", "checkpoints.nano", "cli.doctor"],
    "qwen_tts": ["model.voice.encoders"],
    "transformers": ["model.voice.encoders"],
    "triton": ["model.kernels", "engine.runner.kernels.compile_ahead"],
    "websockets": ["routes.live", "cli.client", "cli.live.words"],
    "werkzeug": ["routes"],
}
"""Who alone may import what is not of the package."""

MAX_ENTRIES = 14
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
"""From `def` to its end, docstring and inner functions included."""


def name_of(path: Path) -> str:
    """Return a module's name within the package, as `routes.apis.native.tts`; its own is empty."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in modules(PACKAGE)}


def layer_of(name: str) -> str:
    """Return a module's layer."""
    return name.partition(".")[0]


@functools.cache
def below(layer: str) -> frozenset[str]:
    """Return the layers that one may import, without itself."""
    return frozenset().union(*({each} | below(each) for each in LAYERS[layer]))


@functools.cache
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


def within(name: str, places: Iterable[str]) -> bool:
    """Return whether a module is one of some, or in one of them."""
    return any(f"{name}.".startswith(f"{place}.") for place in places)


def test_every_module_is_of_a_layer() -> None:
    assert {layer_of(name) for name in MODULES} == set(LAYERS)


@for_each("layer", LAYERS)
def test_a_layer_imports_only_what_is_below(layer: str) -> None:
    """And itself; a library only where that is its business."""
    for name in [name for name in MODULES if layer_of(name) == layer]:
        for imported in imported_modules(MODULES[name]):
            top, _, rest = imported.partition(".")
            if top == PACKAGE.name:
                # What is no module is a name in `qwen_tts_api` itself.
                target = layer_of(rest) if layer_of(rest) in LAYERS else ""
                assert target in {layer} | below(layer), f"{name} imports {imported}"
            allowed = top not in LIBRARIES or within(name, LIBRARIES[top])
            assert allowed, f"{name} imports {imported}"


def test_a_library_is_imported_where_it_may_be() -> None:
    """Else the table promises more than there is."""
    for library, places in LIBRARIES.items():
        for place in places:
            imported = {
                each.partition(".")[0]
                for name, path in MODULES.items()
                if within(name, [place])
                for each in imported_modules(path)
            }
            assert library in imported, place


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    for folder in folders(PACKAGE):
        assert len(entries(folder)) <= MAX_ENTRIES, folder


def test_modules_and_functions_are_short() -> None:
    for module, path in MODULES.items():
        assert num_lines(path) <= MAX_MODULE_LINES, module
        for function, length in functions(path):
            assert length <= MAX_FUNCTION_LINES, f"{function} in {module}"


def test_making_the_application_imports_no_pytorch() -> None:
    """`create_app` has no side effects; PyTorch is imported by the engine's thread."""
    code = (
        "import sys; from qwen_tts_api.routes import create_app; create_app(); "
        "assert not {'torch', 'transformers'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


APIS = {"native": ("native", "coqui"), "openai": ("openai",), "marytts": ("marytts",)}


@pytest.mark.parametrize("api", APIS)
def test_no_api_knows_another(api: str) -> None:
    """What they share is in the service, or in a module of the routes that is of no API."""
    routes = PACKAGE / "routes/apis"
    own = APIS[api]
    files = [
        path for name in own for path in [*routes.glob(f"{name}.py"), *routes.glob(f"{name}/*.py")]
    ]
    assert files
    others = {name for names in APIS.values() for name in names} - set(own)
    for path in files:
        for module in imported_modules(path):
            parts = module.split(".")
            assert not (
                parts[:3] == ["qwen_tts_api", "routes", "apis"] and set(parts[3:]) & others
            ), path
