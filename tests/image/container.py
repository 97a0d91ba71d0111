"""A container as the pod's manifest has it, run by runc alone: no daemon, cluster or network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.image.seccomp import runtime_default
from tools.image.build import FOLDER, ROOT

STATE = FOLDER / "runc"
"""Where runc remembers its containers."""

KUBERNETES = ROOT / "deploy" / "k8s"

# The settings are the pod's but for these: there is no GPU here, and nothing to download.
ON_A_CPU = {"QWEN_MODEL_ID": "nano-en", "QWEN_DEVICE": "cpu", "QWEN_DTYPE": "float32"}


def pod() -> dict[str, Any]:
    """Return the pod's specification in the Deployment."""
    deployment = yaml.safe_load((KUBERNETES / "deployment.yaml").read_text())
    specification: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return specification


def pod_settings() -> dict[str, str]:
    """Return what the ConfigMap puts into the environment."""
    data: dict[str, str] = yaml.safe_load((KUBERNETES / "configmap.yaml").read_text())["data"]
    return data


class Container:
    """The image, running; its network is its own, and has nothing but localhost.

    Args:
        root: The image's files.
        image: The image's configuration.
        folder: An empty folder for the container's volumes and log, with a name of its own.
        settings: QWEN_* in place of the pod's.
    """

    def __init__(self, root: Path, image: dict[str, Any], folder: Path, **settings: str) -> None:
        self.name = folder.name
        self.log_path = folder / "log"
        environ = dict(variable.split("=", 1) for variable in image["Env"])
        environ |= {**pod_settings(), **ON_A_CPU, **settings}
        bundle = folder / "bundle"
        bundle.mkdir()
        runc("spec", "--bundle", str(bundle))
        path = bundle / "config.json"
        specification = json.loads(path.read_text())
        specification["root"] = {"path": str(root), "readonly": True}
        specification["process"] = _process(image, environ)
        assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        specification["linux"]["seccomp"] = runtime_default()
        specification["mounts"] = _mounts(specification["mounts"], folder / "volumes")
        path.write_text(json.dumps(specification))
        with self.log_path.open("wb") as stream:
            self.process = subprocess.Popen(
                ["runc", "--root", str(STATE), "run", "--bundle", str(bundle), self.name],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )

    @property
    def log(self) -> str:
        """Everything that the container has printed."""
        return self.log_path.read_text()

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        assert self.process.poll() is None, self.log
        probe = ["curl", "--silent", "--fail", "localhost:8889/readyz"]
        return (STATE / self.name / "state.json").exists() and self.beside(probe).returncode == 0

    def pid(self) -> int:
        """Return the id that the machine knows the container's first process by."""
        number: int = json.loads(runc("state", self.name))["pid"]
        return number

    def beside(self, command: Sequence[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine where the container's localhost is."""
        return subprocess.run(
            self.beside_command(command), cwd=cwd, capture_output=True, text=True, check=False
        )

    def beside_command(self, command: Sequence[str]) -> list[str]:
        """Return the command that `beside` runs."""
        network = f"--net=/proc/{self.pid()}/ns/net"
        return ["nsenter", network, "env", "no_proxy=*", *command]

    def inside(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the container, as its own user."""
        variables = [f"--env={name}={value}" for name, value in environ.items()]
        return subprocess.run(
            ["runc", "--root", str(STATE), "exec", *variables, self.name, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def processes(self) -> list[int]:
        """Return the ids of all of the container's processes, as the machine knows them."""
        numbers: list[int] = json.loads(runc("ps", "--format=json", self.name))
        return numbers

    def terminate(self) -> None:
        """Send SIGTERM, as Docker and Kubernetes do."""
        runc("kill", self.name, str(signal.SIGTERM.value))

    def remove(self) -> None:
        """End it at once, if it still runs, and leave nothing of it."""
        runc("delete", "--force", self.name)
        self.process.wait(30)


def remove_leftovers() -> None:
    """Remove the containers of tests that were killed."""
    for name in runc("list", "--quiet").split():
        runc("delete", "--force", name)


def runc(*arguments: str) -> str:
    """Run runc; return what it prints."""
    result = subprocess.run(
        ["runc", "--root", str(STATE), *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"runc {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def _process(image: dict[str, Any], environ: dict[str, str]) -> dict[str, Any]:
    """Return the first process: the image's command, with what the pod lets it do."""
    security = pod()["securityContext"]
    rights = pod()["containers"][0]["securityContext"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    return {
        "args": [*(image["Entrypoint"] or []), *image["Cmd"]],
        "cwd": image["WorkingDir"],
        "env": [f"{name}={value}" for name, value in environ.items()],
        "user": {
            "uid": security["runAsUser"],
            "gid": security["runAsGroup"],
            "additionalGids": [security["fsGroup"]],
        },
        "capabilities": {},
        "noNewPrivileges": not rights["allowPrivilegeEscalation"],
    }


def _mounts(defaults: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Return runc's own mounts (/proc, /dev, ...) and the pod's volumes."""
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    ours = []
    for mount in pod()["containers"][0]["volumeMounts"]:
        source = folder / mount["name"]
        kind = volumes[mount["name"]].get("emptyDir", {})
        options = ["nosuid", "nodev"]
        if kind.get("medium") == "Memory":
            size = kind["sizeLimit"].removesuffix("i")
            entry = {"type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", f"size={size}"]}
        else:
            _make_volume(source)
            entry = {"type": "bind", "source": str(source), "options": ["rbind", "rw"]}
        entry["options"] = [*options, *entry["options"]]
        ours.append({"destination": mount["mountPath"], **entry})
    hosts = folder / "hosts"  # whoever runs a container gives it this file
    hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
    hosts.chmod(0o644)
    entry = {"type": "bind", "source": str(hosts), "options": ["bind", "ro"]}
    ours.append({"destination": "/etc/hosts", **entry})
    taken = {mount["destination"] for mount in ours} | {"/sys/fs/cgroup"}
    return [*(mount for mount in defaults if mount["destination"] not in taken), *ours]


def _make_volume(folder: Path) -> None:
    """Make an empty folder as Kubernetes gives it to a pod with an fsGroup."""
    folder.mkdir(parents=True)
    os.chown(folder, 0, pod()["securityContext"]["fsGroup"])
    folder.chmod(0o2777)
