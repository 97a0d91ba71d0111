"""Files of keys as people, editors and clusters write them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from qwen_tts_api.config import reloaded_file
from qwen_tts_api.config.reloaded_file import MAX_FILE_BYTES
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.service.api_keys import MIN_KEY_CHARS, ApiKeys, KeysStatus

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.mark.parametrize(
    ("content", "key", "name"),
    [
        (f"{KEY}\n", KEY, "key 1"),
        (f"\ufeff{KEY}\n{OTHER}", KEY, "key 1"),  # what Windows' editors put first
        (f"\ufeffalice={KEY}\r\nbob={OTHER}\r\n", KEY, "alice"),
        (f"alice={KEY}\r\nbob={OTHER}\r\n", OTHER, "bob"),
        (f"  alice = {KEY}\t\n", KEY, "alice"),
        (f"# API keys\n\nalice={KEY}", KEY, "alice"),
        (f"alice={KEY}\nalice={OTHER}", OTHER, "alice"),
        (f"alice={KEY}\nbob={KEY}", KEY, "bob"),
        ("Schlüssel-der-Tür\n", "Schlüssel-der-Tür", "key 1"),
        ("ключ-от-квартиры-где-деньги", "ключ-от-квартиры-где-деньги", "key 1"),
        ("Ym9iLTAxMjM0NTY3ODlhYg==", "Ym9iLTAxMjM0NTY3ODlhYg==", "key 1"),
        ("alice=Ym9iLTAxMjM0NTY3ODlhYg==", "Ym9iLTAxMjM0NTY3ODlhYg==", "alice"),
        (f"{KEY}={OTHER}", f"{KEY}={OTHER}", "key 1"),
        (f"a={KEY}", f"a={KEY}", "a"),  # a plain key that begins like a name
        ("a=b=c=d=e=f=g=h=i=j", "a=b=c=d=e=f=g=h=i=j", "a"),
        ("abcdefgh=ijklmnop", "abcdefgh=ijklmnop", "key 1"),
    ],
)  # fmt: skip
def test_a_key_is_what_is_written(tmp_path: Path, content: str, key: str, name: str) -> None:
    """By its own name, from whatever editor."""
    path = tmp_path / "keys"
    path.write_bytes(content.encode())
    assert ApiKeys(path).find(key.encode()) == name


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (f"{KEY}={OTHER}", OTHER),
        (f"{KEY}={OTHER}", KEY),
        ("abcdefgh=ijklmnop", "ijklmnop"),
        ("ключ-от-квартиры-где-деньги", "????-??-????????-???-??????"),
        (f"# {KEY}\n{OTHER}", KEY),
    ],
)
def test_no_part_of_a_key_lets_in(tmp_path: Path, content: str, key: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content.encode())
    assert ApiKeys(path).find(key.encode()) is None


def test_a_key_comes_in_either_encoding(tmp_path: Path) -> None:
    """curl sends a terminal's UTF-8, most libraries of HTTP Latin-1."""
    path = tmp_path / "keys"
    path.write_bytes("Schlüssel-der-Tür".encode())
    keys = ApiKeys(path)
    assert keys.find("Schlüssel-der-Tür".encode()) == "key 1"
    assert keys.find("Schlüssel-der-Tür".encode("latin-1")) == "key 1"


def test_a_key_has_as_many_characters_as_it_must(tmp_path: Path) -> None:
    """With a name before it or not."""
    path = tmp_path / "keys"
    for form in ("%s", "alice=%s"):
        path.write_text(form % ("k" * MIN_KEY_CHARS))
        assert ApiKeys(path).find(b"k" * MIN_KEY_CHARS)
    path.write_text("k" * (MIN_KEY_CHARS - 1))
    with pytest.raises(ConfigError, match=f"fewer than {MIN_KEY_CHARS} characters"):
        ApiKeys(path)
    # Behind a name it is none: the whole line is one then, without a name.
    path.write_text("alice=" + "k" * (MIN_KEY_CHARS - 1))
    keys = ApiKeys(path)
    assert keys.find(b"k" * (MIN_KEY_CHARS - 1)) is None
    assert keys.find(b"alice=" + b"k" * (MIN_KEY_CHARS - 1)) == "key 1"


@pytest.mark.parametrize("content", [b"", b"# none\n", b"short\n", b"\xff\xfek\0e\0y\0"])
def test_a_readable_file_without_keys_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    """At start it is a mistake; later on it is how the last key is withdrawn."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n")
    keys = ApiKeys(path)
    path.write_bytes(content)
    os.utime(path, (0, 0))
    assert keys.find(KEY.encode()) is None
    assert keys.status() == KeysStatus("faulty", 0)
    with pytest.raises(ConfigError, match="QWEN_API_KEYS_FILE"):
        ApiKeys(path)


@pytest.mark.parametrize(("age_s", "holds"), [(60, True), (4000, False), (-60, False)])
def test_a_file_that_is_being_written_lets_in_as_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    age_s: int,
    *,
    holds: bool,
) -> None:
    """Emptied a moment ago; what stays empty, or has a time of another clock, is meant so."""
    monkeypatch.setattr(reloaded_file, "SETTLE_S", 3600)
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n")
    keys = ApiKeys(path)
    path.write_bytes(b"")
    os.utime(path, (time.time() - age_s,) * 2)
    assert keys.find(KEY.encode()) == ("key 1" if holds else None)
    assert ("remain valid" in caplog.text) is holds
    path.write_text(f"{OTHER}\n")
    assert keys.find(KEY.encode()) is None
    assert keys.find(OTHER.encode()) == "key 1"


def test_a_bad_line_costs_no_good_one(tmp_path: Path) -> None:
    """Nor does it keep in what was withdrawn at the same time."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n{OTHER}\n")
    keys = ApiKeys(path)
    path.write_text(f"short\n{OTHER}\n\udcff\n", errors="surrogateescape")
    assert keys.find(KEY.encode()) is None
    assert keys.find(OTHER.encode()) == "key 2"
    assert keys.status() == KeysStatus("faulty", 1)


def _make_unreadable(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "huge":
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "huge", "missing"])
def test_what_cannot_be_read_changes_nothing_and_hangs_nobody(tmp_path: Path, kind: str) -> None:
    """The keys of before hold; a start says what is wrong."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n")
    keys = ApiKeys(path)
    _make_unreadable(path, kind)
    assert keys.find(KEY.encode()) == "key 1"
    assert keys.status() == KeysStatus("unreadable", 1)
    with pytest.raises(ConfigError, match="QWEN_API_KEYS_FILE"):
        ApiKeys(path)
