"""What is counted as a module, an entry of a folder, and the lines of a function."""

from __future__ import annotations

import json
from pathlib import Path

from tools.code_figures import entries, folders, functions, measure_tree, percentile, record
from tools.request_path import PACKAGE

MODULE = '''"""What it is for."""


@decorated
def outer() -> None:
    """Say what it does."""

    def inner() -> None:
        pass

    async def other() -> None: ...
'''


def test_a_tree_is_measured(tmp_path: Path) -> None:
    folder = tmp_path / PACKAGE / "folder"
    (folder / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "two.py", ".hidden", "__pycache__/one.pyc"):
        (folder / name).touch()
    (folder / "one.py").write_text(MODULE)
    (tmp_path / "README.md").write_text("# Ä\n")
    assert [path.name for path in entries(folder)] == ["one.py", "two.py"]
    assert folders(tmp_path / PACKAGE) == [tmp_path / PACKAGE, folder]
    assert dict(functions(folder / "one.py")) == {"outer": 7, "inner": 2, "other": 1}
    assert measure_tree(tmp_path) == {
        "modules": 3,
        "lines of the largest module": 11,
        "largest module": "qwen_tts_api/folder/one.py",
        "entries of the largest folder": 2,
        "largest folder": "qwen_tts_api/folder",
        "functions": 3,
        "lines of functions, p50": 2,
        "lines of functions, p90": 7,
        "lines of functions, p97": 7,
        "lines of the longest function": 7,
        "bytes of README.md": 5,
    }


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile([4, 3, 2, 1], percent) for percent in (25, 50, 51, 100)] == [1, 2, 3, 4]


def test_measurements_are_added_to_those_before(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    for commit in ("a", "b"):
        record({"commit": commit}, path)
    assert json.loads(path.read_text()) == [{"commit": "a"}, {"commit": "b"}]
