"""Write the Kubernetes manifests that `docs/` shows to files, for `make check-deploy`.

python -m tools.document_manifests build/documents    # prints the folders of the overlays
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent

CHECKOUT = "qwen-tts-api"
"""The folder of the checkout, which the overlays of the documents lie beside."""


def yaml_blocks() -> Iterator[str]:
    """Yield the YAML blocks of the documents, without the indentation of a list around them."""
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for block in re.findall(r"^ *```yaml\n(.+?)^ *```", path.read_text(), re.M | re.S):
            yield textwrap.dedent(block)


def write_manifests(folder: Path) -> list[Path]:
    """Write each manifest to `folder`, and each overlay to a folder in it.

    Returns:
        The folders of the overlays, for `kubectl kustomize`.
    """
    folder.mkdir(parents=True)
    (folder / CHECKOUT).symlink_to(ROOT)
    overlays = []
    for number, block in enumerate(yaml_blocks()):
        documents = list(yaml.safe_load_all(block))
        if documents[0].get("kind") == "Kustomization":
            overlay = folder / f"overlay-{number}"
            overlay.mkdir()
            (overlay / "kustomization.yaml").write_text(block)
            overlays.append(overlay)
        elif all("apiVersion" in document for document in documents):
            (folder / f"{number}.yaml").write_text(block)
    return overlays


if __name__ == "__main__":
    print(*write_manifests(Path(sys.argv[1])), sep="\n")
