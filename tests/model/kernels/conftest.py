"""Kernels run in Triton's interpreter here: on the CPU, one program after another, in numpy.

Whether a kernel is interpreted is decided where it is defined. So all are imported here, with the
variable that says so, which nothing else sees. Where there is no Triton (macOS), no test is found.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qwen_tts_api.model import kernels

INTERPRET = ("TRITON_INTERPRET", "1")
collect_ignore_glob: list[str] = []

if importlib.util.find_spec("triton") is None:
    collect_ignore_glob.append("test_*.py")
else:
    assert "triton" not in sys.modules, "Triton was imported before its interpreter was asked for"
    with pytest.MonkeyPatch.context() as _patch:
        _patch.setenv(*INTERPRET)
        for _module in pkgutil.walk_packages(kernels.__path__, f"{kernels.__name__}."):
            importlib.import_module(_module.name)


@pytest.fixture(scope="package", autouse=True)
def interpreter() -> Iterator[Any]:
    """Return Triton's interpreter, and let it be thrice as fast.

    For every call of a function, nested ones included, it replaces a hundred functions of
    `triton.language` and puts them back; here they stay replaced until the last test. It also looks
    for integers that overflow, at twice the arithmetic.
    """
    from triton.runtime import interpreter as module

    scopes: dict[str, Any] = {}
    replace = module._patch_lang

    def replace_once(function: Any) -> Any:
        """Replace what a module sees, once; return a scope whose end changes nothing."""
        name = function.__globals__["__name__"]
        if name not in scopes:
            scopes[name] = replace(function)
        return module._LangPatchScope()

    options = module.interpreter_builder.options
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*INTERPRET)
        patch.setattr(module, "_patch_lang", replace_once)
        patch.setitem(options.__dict__, "sanitize_overflow", False)
        yield module
        for scope in reversed(scopes.values()):
            scope.restore()
