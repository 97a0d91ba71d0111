"""`download`: download a checkpoint, for machines without a network."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import click

from qwen_tts_api.checkpoints.card import read_card
from qwen_tts_api.checkpoints.hub import HubCheckpoint, fetch, hide_progress, hub_cache, look_up
from qwen_tts_api.checkpoints.nano import NANO_NAMES
from qwen_tts_api.cli.exits import EXIT_INTERRUPTED
from qwen_tts_api.config.folders import expand
from qwen_tts_api.errors import LoadError


@click.command()
@click.argument("model")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Into this folder, to be carried elsewhere; without it, into the hub's cache (HF_HOME).",
)
def download(model: str, folder: Path | None) -> None:
    r"""Download the checkpoint MODEL, such as Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice.

    Weights come as safetensors only, never as pickles. What an interrupted download has brought is
    kept: run it again to go on. The hub's own variables hold: HF_ENDPOINT, HF_TOKEN, HF_HOME.
    """
    if model in NANO_NAMES:
        raise click.UsageError(
            f"{model} is there wherever it is served; there is nothing to download."
        )
    if _is_folder(model):
        raise click.UsageError(f"{model} is a folder of this machine already.")
    _prepare_terminal()
    try:
        listing = look_up(model)
        _check_weights(model, listing)
        # Reject other kinds of model by the first kilobytes, before gigabytes are downloaded.
        place = fetch(model, ["config.json"], folder=folder)
        read_card(place)
        _check_space(place, listing)
        place = fetch(model, folder=folder)
    except LoadError as error:
        raise click.ClickException(str(error)) from error
    _check_result(place, listing)
    total = sum(listing.sizes.values())
    click.echo(f"{len(listing.sizes)} files, {total / 1e6:,.1f} MB, complete in {place}")
    click.echo("To serve it where there is no network, set")
    source = str(place) if folder else model
    click.echo(f"  QWEN_MODEL_ID={source} HF_HUB_OFFLINE=1")
    if not folder:
        click.echo(f"and take the hub's cache along: {hub_cache()} (HF_HUB_CACHE).")


def _is_folder(model: str) -> bool:
    """Return whether `model` is an existing folder."""
    try:
        return expand(model).is_dir()
    except (OSError, ValueError):
        return False


def _prepare_terminal() -> None:
    """Show progress bars only on a terminal, and let Ctrl-C exit at once.

    huggingface_hub would first finish the files that its threads download, gigabytes of them.
    """
    if not sys.stderr.isatty() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        hide_progress()
    signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))


def _check_weights(model: str, listing: HubCheckpoint) -> None:
    if any(path.endswith(".safetensors") for path in listing.sizes):
        return
    pickles = f" but {listing.num_pickles} pickles, which could run code" * bool(
        listing.num_pickles
    )
    raise click.ClickException(
        f"{model!r} has no weights in safetensors{pickles}: nothing was downloaded."
    )


def _check_space(place: Path, listing: HubCheckpoint) -> None:
    missing = sum(size for path, size in listing.sizes.items() if not (place / path).is_file())
    free = shutil.disk_usage(place).free
    if free < missing:
        raise click.ClickException(
            f"{missing / 1e9:.1f} GB are to come, and {place} has {free / 1e9:.1f} GB free: make "
            "room, or name another folder (--to, or HF_HOME)."
        )


def _check_result(place: Path, listing: HubCheckpoint) -> None:
    """Check that all files are complete: offline, huggingface_hub accepts a partial snapshot."""
    from qwen_tts_api.model.loaded import judge

    problem = " ".join(
        f"{path} has not come whole."
        for path, size in listing.sizes.items()
        if not (place / path).is_file() or (place / path).stat().st_size != size
    )
    try:
        if not problem:
            judge(place)
    except LoadError as error:
        problem = str(error)
    if problem:
        raise click.ClickException(
            f"{place} is not complete. {problem} Run the same command again to go on."
        )
