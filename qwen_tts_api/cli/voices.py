"""`voices`: list speakers and languages."""

from __future__ import annotations

import json
from typing import Any

import click

from qwen_tts_api.cli.client import ServerClient, server_options
from qwen_tts_api.cli.settings import read_settings

Entry = dict[str, Any]


@click.command()
@click.option(
    "--model",
    default="",
    help="A checkpoint (a folder, a hub id, nano ...), whose configuration is read here; together "
    "with --server, one of the server's models.",
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@server_options
def voices(model: str, as_json: bool, server: str | None, timeout: float) -> None:
    """List the speakers and languages of a server, or of a checkpoint.

    No weights are loaded.
    """
    if model and server is None:
        listing = _of_checkpoint(model)
    else:
        client = ServerClient(server, timeout)
        listing = {
            "speakers": client.get_json("/speakers", model=model),
            "languages": client.get_json("/languages", model=model),
        }
    click.echo(json.dumps(listing, ensure_ascii=False, indent=2) if as_json else _table(listing))


def _of_checkpoint(model: str) -> dict[str, list[Entry]]:
    """Return the speakers and languages of a checkpoint, as the server lists them.

    Raises:
        click.ClickException: There is no such checkpoint.
    """
    from qwen_tts_api.checkpoints.card import describe
    from qwen_tts_api.errors import LoadError
    from qwen_tts_api.service.models import display_name, list_languages

    try:
        card = describe(model, read_settings().cache_dir)
    except LoadError as error:
        raise click.ClickException(str(error)) from error
    speakers: list[Entry] = [
        {"name": display_name(speaker), "dialect": card.dialects.get(speaker)}
        for speaker in card.speakers
    ]
    return {"speakers": speakers, "languages": list(list_languages(card))}


def _table(listing: dict[str, list[Entry]]) -> str:
    rows = [(entry["name"], _remark(entry)) for entry in listing["speakers"]]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:{width}}  {remark}".rstrip() for name, remark in rows]
    languages = ", ".join(
        f"{entry['name']} ({entry['code']})" for entry in listing["languages"] if entry["code"]
    )
    return "\n".join(
        ["Speakers:" if lines else "This model has no speakers.", *lines, f"Languages: {languages}"]
    )


def _remark(entry: Entry) -> str:
    """Return the dialect of a speaker, or that the voice is registered."""
    kind = entry.get("kind") if entry.get("kind") != "speaker" else None
    return ", ".join(str(part).replace("_", " ") for part in (entry.get("dialect"), kind) if part)
