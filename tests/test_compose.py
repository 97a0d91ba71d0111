"""The files of `deploy/compose` are valid, and say what the pod's manifest says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from qwen_tts_api.config import Config

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "deploy" / "compose"
FILES = sorted(COMPOSE.glob("*.yaml"))
SERVERS = [path for path in FILES if path.name != "server.yaml"]


def read(path: Path) -> dict[str, Any]:
    """Return a file with its variables at their defaults, as compose has it."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text())
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def common() -> dict[str, Any]:
    server: dict[str, Any] = read(COMPOSE / "server.yaml")["services"]["server"]
    return server


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_what_compose_takes(path: Path) -> None:
    """Every field is one of the Compose specification, of the right type."""
    PyCompose.from_yaml(yaml.safe_dump(read(path)))


@pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.name)
def test_each_server_extends_the_common_one(path: Path) -> None:
    document = read(path)
    servers = {name: it for name, it in document["services"].items() if name != "balancer"}
    for server in servers.values():
        assert server["extends"] == {"file": "server.yaml", "service": "server"}
        assert set(server) <= {"extends", "image", "build", "environment", "ports", "deploy"}
    assert set(document["volumes"]) == {"cache"}
    assert "8888:8888" in document["services"].get("balancer", servers.get("server"))["ports"]


def test_the_container_is_as_restricted_as_the_pod() -> None:
    """Read-only, without capabilities, with the pod's shared memory and its time to end."""
    pod = yaml.safe_load((ROOT / "deploy" / "k8s" / "deployment.yaml").read_text())
    specification = pod["spec"]["template"]["spec"]
    rights = specification["containers"][0]["securityContext"]
    server = common()
    assert server["read_only"] is rights["readOnlyRootFilesystem"] is True
    assert server["cap_drop"] == rights["capabilities"]["drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert rights["allowPrivilegeEscalation"] is False
    assert server["stop_grace_period"] == f"{specification['terminationGracePeriodSeconds']}s"
    shm = next(volume for volume in specification["volumes"] if volume["name"] == "shm")
    assert (server["shm_size"], shm["emptyDir"]["sizeLimit"]) == ("1gb", "1Gi")
    assert [mount.partition(":")[2] for mount in server["volumes"]] == ["/cache"]
    assert server["tmpfs"] == ["/tmp"]


def test_the_image_has_the_version_of_the_project() -> None:
    [version] = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    images = re.findall(r"image: (qwen-tts-api\S+)", "".join(p.read_text() for p in FILES))
    assert set(images) == {f"qwen-tts-api:{version}", f"qwen-tts-api:{version}-cpu"}


def test_the_server_without_a_gpu_has_settings_that_start(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(COMPOSE / "compose.cpu.yaml")["services"]["server"]["environment"]
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert Config.from_env().model_id == "nano-en"


def test_the_balancer_knows_each_server() -> None:
    """By its name in the network, and each has a GPU of its own."""
    services = read(COMPOSE / "compose.gpus.yaml")["services"]
    del services["balancer"]
    configuration = (COMPOSE / "haproxy.cfg").read_text()
    assert re.findall(r"^    server (\S+) (\S+)$", configuration, re.M) == [
        (name, f"{name}:8888") for name in services
    ]
    gpus = [
        device["device_ids"]
        for server in services.values()
        for device in server["deploy"]["resources"]["reservations"]["devices"]
    ]
    assert gpus == [[str(number)] for number in range(len(services))]
