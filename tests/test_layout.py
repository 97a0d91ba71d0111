"""Where a test is found: beside the namesake of its module, or among the suites."""

from __future__ import annotations

from pathlib import Path

from tests.rows import for_each

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "qwen_tts_api"
TESTS = ROOT / "tests"

MIRRORED = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
LARGE_LINES = 250

TESTED_BY = {
    "checkpoints/nano/configs.py": "checkpoints/test_nano.py",
    "engine/memory/planning.py": "engine/memory/test_fitting.py",
    "engine/snapshot.py": "engine/test_pool.py",
    "model/kernels/attention.py": "model/kernels/test_decoder.py",
    "model/kernels/products.py": "model/kernels/test_decoder.py",
    "model/layers.py": "model/test_talker.py",
    "routes/speech/schema.py": "routes/apis/native/test_tts.py",
    "service/text/verbalize/languages/language.py": "service/text/verbalize/test_verbalizer.py",
}
"""Large modules without a namesake among the tests: one by which they alone are reached."""


def names_of_modules(folder: Path) -> list[str]:
    """Return the names of a folder's modules and packages, `__main__` as `main`."""
    modules = [path.stem for path in folder.glob("*.py")]
    return [name.strip("_") for name in modules] + [path.name for path in folder.glob("*/")]


@for_each("folder", MIRRORED)
def test_a_test_is_named_after_what_it_tests(folder: str) -> None:
    """After a module, which an aspect may follow. What crosses modules is in `tests/suites`."""
    for path in (TESTS / folder).rglob("test_*.py"):
        tested = path.stem.removeprefix("test_")
        names = names_of_modules(PACKAGE / path.parent.relative_to(TESTS))
        assert any(f"{tested}_".startswith(f"{name}_") for name in names if name), path


def test_a_large_module_has_a_test() -> None:
    large = {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text().splitlines()) > LARGE_LINES
    }
    alone = {
        str(module)
        for module in large
        if not (TESTS / module.with_name(f"test_{module.name}")).exists()
    }
    assert alone <= set(TESTED_BY)
    assert all((TESTS / name).exists() for name in TESTED_BY.values())
    assert all((PACKAGE / name).exists() for name in TESTED_BY)
