"""The image, built from the Dockerfile as it is, holds nothing that it should not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from qwen_tts_api import __version__
from tests.image.container import pod, pod_settings
from tools.image.build import ROOT, config, layers


def test_the_image_is_what_the_pod_expects(image: dict[str, Any]) -> None:
    """Its user, ports and version are those of the manifest; the folders that it names, mounted."""
    security, container = pod()["securityContext"], pod()["containers"][0]
    assert image["User"] == f"{security['runAsUser']}:{security['runAsGroup']}"
    ports = {f"{port['containerPort']}/tcp" for port in container["ports"]}
    assert set(image["ExposedPorts"]) == ports
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(image["Volumes"]) <= mounts
    assert container["image"].endswith(f":{__version__}")
    environ = dict(variable.split("=", 1) for variable in image["Env"])
    assert pod_settings()["QWEN_CACHE_DIR"] == environ["QWEN_CACHE_DIR"]
    # The stand-in's would end the container at once.
    assert not image["Entrypoint"]


def test_nothing_of_the_building_is_left(root: Path) -> None:
    """Neither pip, nor what it was told, nor sources, nor what apt keeps."""
    assert not list(root.glob("opt/venv/bin/pip*"))
    assert not list(root.glob("opt/venv/lib/python*/site-packages/pip"))
    for path in ("etc/pip.conf", "root/.cache", "root/.config", "src", "project"):
        assert not (root / path).exists(), path
    for folder in ("var/lib/apt/lists", "var/cache/apt/archives"):
        files = {path.name for path in (root / folder).rglob("*") if path.is_file()}
        assert files <= {"lock"}


def test_the_project_is_a_small_layer_of_its_own() -> None:
    """The last one: a new version of it moves megabytes."""
    *_, packages, project = layers()
    assert "/opt/venv" in packages.made_by
    assert project.num_bytes < 0.05 * packages.num_bytes


def test_the_documents_tell_the_sizes_of_the_layers() -> None:
    """To a tenth; but for those that are the distribution's."""
    text = (ROOT / "docs" / "operations" / "deploy.md").read_text()
    table = re.findall(r"^\| `(COPY [^`]+)` \| ([\d.]+) MB", text, re.M)
    ours = [layer for layer in layers() if layer.made_by.startswith("COPY")]
    assert len(table) == len(ours) == 2
    for (instruction, told), layer in zip(table, ours, strict=True):
        assert instruction.split()[-1] == layer.made_by.split()[-1]
        assert float(told) == pytest.approx(layer.num_bytes / 1e6, rel=0.1)


def test_the_dockerfile_is_built_as_it_is(image: dict[str, Any]) -> None:
    """What has been built is what it says last."""
    assert config() == image
    last = (ROOT / "Dockerfile").read_text().split("FROM ")[-1]
    for key, value in image["Labels"].items():
        if key.startswith("org.opencontainers.image."):
            assert f'{key}="{value}"' in last
