"""Build the image with buildah, in its own storage under `build/image`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.image.outside import Outside, apt_options, apt_sources, pip_outside

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "image"
BASE = FOLDER / "base.tar"
STORAGE = FOLDER / "storage"
IMAGE = "localhost/qwen-tts-api:test"

MAX_STORAGE_BYTES = 12e9
"""Layers of earlier builds are kept up to this, for the next build."""

PROGRAMS = ("buildah", "mmdebstrap", "runc", "curl")
"""What is needed, each in the Debian package of its name."""

# As the images of Debian and Ubuntu have it: apt keeps no copies of what it installs.
DOCKER_CLEAN = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


class ImageError(Exception):
    """The image cannot be built here; the message says why."""


@dataclass(frozen=True)
class Layer:
    """A layer of the image: the instruction that made it, and its size, uncompressed."""

    made_by: str
    num_bytes: int


def build() -> str:
    """Build the CPU image, using cached layers; return its name."""
    require_programs()
    if STORAGE.exists() and _num_bytes(STORAGE) > MAX_STORAGE_BYTES:
        clean()
    outside = pip_outside()
    make_base(outside)
    pip_conf = FOLDER / "pip.conf"
    pip_conf.write_text(outside.pip_conf)
    with _step("building the Dockerfile"):
        _buildah(
            *("build", "--layers", "--format=docker", "--pull-never"),
            *("--build-arg=TORCH=cpu", f"--secret=id=pip.conf,src={pip_conf}"),
            *(f"--volume={source}:{target}:ro" for source, target in outside.mounts.items()),
            *(f"--tag={IMAGE}", str(ROOT)),
        )
    return IMAGE


def require_programs() -> None:
    """Raise an ImageError if a required program is missing."""
    if os.geteuid() != 0:
        raise ImageError("only root can build and run the image here.")
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise ImageError(f"not installed (on Debian: apt install {' '.join(missing)}).")


def base_name() -> str:
    """Return the name of the Dockerfile's default base image."""
    match = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert match
    return f"docker.io/{match[1]}"


def make_base(outside: Outside) -> None:
    """Make a base image of this machine's Debian or Ubuntu, under the name of the Dockerfile's."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not BASE.exists():
        with _step("making the base"):
            _bootstrap()
    # Another pip.conf may name other folders.
    paths = ":".join(map(str, outside.mounts.values()))
    if _label(base_name(), "paths") == paths:
        return
    with _step("importing the base"):
        container = _buildah("from", "scratch").strip()
        _buildah("add", "--quiet", container, str(BASE), "/")
        _add_mount_points(container, outside)
        # CUDA's base has an entry point that the image must not keep.
        _buildah("config", '--entrypoint=["/bin/false"]', f"--label=paths={paths}", container)
        _buildah("commit", "--quiet", "--rm", container, base_name())


def _bootstrap() -> None:
    sources = apt_sources()
    if not sources or not (codename := _codename()):
        raise ImageError("this machine is no Debian or Ubuntu, whose packages make the base.")
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    options = [f"--aptopt={option}" for option in apt_options(dumped.stdout)]
    unfinished = BASE.with_suffix(".part.tar")
    _run(
        *("mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", *options),
        # Names are looked up as the machine says that runs the container.
        "--customize-hook=rm -f $1/etc/resolv.conf $1/etc/hostname",
        *(codename, str(unfinished), *map(str, sources)),
    )
    unfinished.rename(BASE)


def _codename() -> str:
    release = Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    match = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.M)
    return match[1] if match else ""


def _add_mount_points(container: str, outside: Outside) -> None:
    """Create the mount points in the base, which buildah would add to every layer."""
    root = Path(_buildah("mount", container).strip())
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(DOCKER_CLEAN)
    for source, target in outside.mounts.items():
        inside = root / target.relative_to("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            inside.mkdir(exist_ok=True)
        else:
            inside.touch()


def config() -> dict[str, Any]:
    """Return the image's configuration in Docker's format."""
    settings: dict[str, Any] = _inspect(IMAGE)["Docker"]["config"]
    return settings


def layers() -> list[Layer]:
    """Return the image's layers from the base upwards."""
    inspected = _inspect(IMAGE)
    history = [step for step in inspected["OCIv1"]["history"] if not step.get("empty_layer")]
    sizes = [layer["size"] for layer in json.loads(inspected["Manifest"])["layers"]]
    made_by = [re.sub(r"/bin/sh -c (#\(nop\) )?", "", step["created_by"]) for step in history]
    return [
        Layer("the base" if index == 0 else made, size)
        for index, (made, size) in enumerate(zip(made_by, sizes, strict=True))
    ]


@contextmanager
def mounted() -> Iterator[Path]:
    """Mount the image's file system inside the block."""
    remove_containers()
    container = _buildah("from", "--pull-never", IMAGE).strip()
    try:
        yield Path(_buildah("mount", container).strip())
    finally:
        _buildah("umount", container)
        _buildah("rm", container)


def remove_containers() -> None:
    """Remove the containers of builds and tests that were killed."""
    if STORAGE.exists():
        _buildah("rm", "--all")


def clean(*, base: bool = False) -> None:
    """Remove everything except the base image, or that too."""
    remove_containers()
    kept = None if base else BASE
    folders = [path for path in FOLDER.glob("*") if path.is_dir()]
    files = [path for path in FOLDER.glob("*") if path.is_file() and path != kept]
    for folder, _, names in (step for path in folders for step in os.walk(path)):
        files += [Path(folder, name) for name in names]
    # Some disks take milliseconds for each file, but do many at once.
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(Path.unlink, files))
    for path in folders:
        shutil.rmtree(path)


def _num_bytes(folder: Path) -> int:
    """Return the disk usage of a folder."""
    return 1024 * int(_run("du", "--summarize", "--one-file-system", str(folder)).split()[0])


def _inspect(name: str) -> dict[str, Any]:
    inspected: dict[str, Any] = json.loads(_buildah("inspect", "--type=image", name))
    return inspected


def _label(name: str, label: str) -> str | None:
    """Return an image's label; None without it, or without the image."""
    try:
        labels = _inspect(name)["Docker"]["config"].get("Labels") or {}
    except ImageError:
        return None
    value: str | None = labels.get(label)
    return value


def _buildah(*arguments: str) -> str:
    """Run buildah, with few privileges, writing under FOLDER only."""
    config_file, temporary = FOLDER / "storage.conf", FOLDER / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    paths = {"graphroot": STORAGE, "runroot": FOLDER / "run"}
    lines = [f"{name} = {json.dumps(str(path))}" for name, path in paths.items()]
    # No driver is named: it takes overlay where the kernel lets it, else vfs, which is slower.
    config_file.write_text("\n".join(["[storage]", *lines, ""]))
    return _run(
        *("buildah", *arguments),
        BUILDAH_ISOLATION="chroot",
        CONTAINERS_STORAGE_CONF=str(config_file),
        TMPDIR=str(temporary),
    )


def _run(*command: str, **environ: str) -> str:
    """Run a program; return its output, or raise an `ImageError` with it."""
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environ}, check=False
    )
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).strip().splitlines()[-50:])
        raise ImageError(f"{' '.join(command[:2])} failed ({result.returncode}):\n{said}")
    return result.stdout


@contextmanager
def _step(what: str) -> Iterator[None]:
    started_s = time.monotonic()
    print(f"image: {what} ...", flush=True)
    yield
    print(f"  done in {time.monotonic() - started_s:.0f} s", flush=True)
