"""Download checkpoints from the Hugging Face hub, or find them in huggingface_hub's cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from qwen_tts_api.errors import LoadError

# The files of a published checkpoint, in all its folders: no pickles, no code.
CHECKPOINT_FILES = ("*.json", "*.txt", "*.safetensors")

TIMEOUT_S = 10
"""Timeout of requests for metadata."""

PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")


@dataclass(frozen=True)
class HubCheckpoint:
    """The files of a checkpoint on the hub.

    Attributes:
        sizes: Bytes by path, of the files that are downloaded.
        num_pickles: Number of pickled weight files, which are never loaded.
    """

    sizes: dict[str, int]
    num_pickles: int


def fetch(
    model_id: str, files: Sequence[str] = CHECKPOINT_FILES, *, folder: Path | None = None
) -> Path:
    """Download missing files of a checkpoint, and return its folder.

    An interrupted download is resumed.

    Args:
        model_id: A repository id of the hub.
        files: Glob patterns of the files.
        folder: The target folder; None: huggingface_hub's cache.

    Raises:
        LoadError: The hub cannot be reached or refuses the checkpoint, or there is no cache folder.
    """
    from huggingface_hub import snapshot_download

    # With a target folder huggingface_hub would still write refs to the common cache.
    cache = hub_cache() if folder is None else folder / ".cache" / "huggingface"
    with hub_errors(model_id):
        path = snapshot_download(
            model_id,
            allow_patterns=list(files),
            cache_dir=cache,
            local_dir=folder,
            local_files_only=not _answers(model_id),
        )
        return Path(path)


def hide_progress() -> None:
    """Show no bars while files come."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()


def hub_cache() -> Path:
    """Return the folder of huggingface_hub's cache.

    Raises:
        LoadError: The home folder is unknown. huggingface_hub would create a folder `~` in the
            working directory.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    if folder.parts[0].startswith("~"):
        raise LoadError(
            f"HF_HOME is needed for downloads: the hub's cache, {folder}, is in the home of a user "
            "that has none (HOME)."
        )
    return folder


def _answers(model_id: str) -> bool:
    """Return whether the hub answers within TIMEOUT_S: huggingface_hub's download sets no limit."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled
    from requests import ConnectionError as NoConnection
    from requests import Timeout

    try:
        HfApi().model_info(model_id, timeout=TIMEOUT_S)
    except (NoConnection, Timeout, OfflineModeIsEnabled):
        return False
    return True


def find_cached(model_id: str) -> Path | None:
    """Return the folder of a checkpoint in huggingface_hub's cache, complete or not, or None.

    Does not use the network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def look_up(model_id: str) -> HubCheckpoint:
    """Return the files of a checkpoint on the hub.

    Raises:
        LoadError: The hub cannot be reached, or refuses the checkpoint.
    """
    from huggingface_hub import HfApi

    with hub_errors(model_id):
        info = HfApi().model_info(model_id, files_metadata=True, timeout=TIMEOUT_S)
    siblings = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return HubCheckpoint(
        sizes={path: size for path, size in siblings.items() if _is_wanted(path)},
        num_pickles=sum(path.endswith(PICKLES) for path in siblings),
    )


def _is_wanted(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in CHECKPOINT_FILES)


@contextlib.contextmanager
def hub_errors(model_id: str) -> Iterator[None]:
    """Translate the errors of huggingface_hub and requests into `LoadError`.

    Raises:
        LoadError: In place of theirs.
    """
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from requests import ConnectionError as NoConnection
    from requests import Timeout

    try:
        yield
    except HFValidationError as error:
        raise LoadError(f"{model_id!r} is not a valid hub id.") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, NoConnection, Timeout) as error:
        raise LoadError(
            f"The hub cannot be reached (or HF_HUB_OFFLINE is set), and {model_id!r} is not in its "
            f"cache."
        ) from error
    except RepositoryNotFoundError as error:
        raise LoadError(
            f"The hub has no {model_id!r}, or does not give it without HF_TOKEN where it is "
            f"private."
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        raise LoadError(
            f"The hub does not give {model_id!r} ({status} answer; a private or gated checkpoint "
            f"needs HF_TOKEN)."
        ) from error
    except OSError as error:
        raise LoadError(f"Downloading {model_id!r} failed: {error}.") from error
