"""The image, built from the Dockerfile as it is, and one container of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.image.container import Container, remove_leftovers
from tools.image import build

StartContainer = Callable[..., Container]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, so that they run where root may run containers."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("image")
            item.add_marker(pytest.mark.timeout(1200))  # the first of them builds the image


@pytest.fixture(scope="session")
def image() -> dict[str, Any]:
    """Build the image; return its configuration, in Docker's words."""
    build.build()
    return build.config()


@pytest.fixture(scope="session")
def root(image: dict[str, Any]) -> Iterator[Path]:
    """Return where the image's files are mounted."""
    remove_leftovers()
    with build.mounted() as path:
        yield path


@pytest.fixture
def start_container(root: Path, image: dict[str, Any], tmp_path: Path) -> Iterator[StartContainer]:
    """Return a function that starts a container of the test's own, and waits for it."""
    containers = []

    def start(**settings: str) -> Container:
        containers.append(Container(root, image, tmp_path, **settings))
        wait_until(containers[-1].is_ready, 120)
        return containers[-1]

    yield start
    for container in containers:
        container.remove()


@pytest.fixture(scope="module")
def container(
    root: Path, image: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """Return a container that is ready, for all tests that do not end it."""
    container = Container(root, image, tmp_path_factory.mktemp("container"))
    try:
        wait_until(container.is_ready, 120)
        yield container
    finally:
        container.remove()
