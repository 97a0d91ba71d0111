"""Voices on the disk: whole or not there, whatever kills the writer."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from qwen_tts_api import files
from qwen_tts_api.errors import VoiceExists
from qwen_tts_api.service.voices.store import VoiceStore
from qwen_tts_api.service.voices.voice import Voice, check_name, voice_id
from tests.recordings import recording, tone
from tests.rows import for_each

SAMPLES = tone(1.5, 24_000)[:, 0]
QUIET = SAMPLES * np.float32(0.5)


def voice(name: str, created_at: int = 1) -> Voice:
    """Return a voice that is not stored yet."""
    return Voice(voice_id(name), name, created_at=created_at, ref_text="Hello.", consent="Yes.")


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    """Return a store in a folder that does not exist yet."""
    return VoiceStore(tmp_path / "deep" / "voices")


def test_what_is_added_is_there_for_every_process(store: VoiceStore, tmp_path: Path) -> None:
    """Fields and samples to the bit; oldest first."""
    assert store.all() == []
    second, first = store.add(voice("Bob", 2), SAMPLES), store.add(voice("Änna", 1), QUIET)
    other = VoiceStore(tmp_path / "deep" / "voices")
    assert other.all() == [first, second]
    assert other.get("anna") == first
    assert first.name == "Änna"
    assert np.array_equal(other.samples(first), QUIET)


def test_recordings_are_for_this_user_alone(store: VoiceStore, tmp_path: Path) -> None:
    """They are personal data; also in a folder that was there, and may be read by everybody."""
    open_to_all = tmp_path / "open"
    before = os.umask(0o022)
    try:
        open_to_all.mkdir()
        store.add(voice("Bob"), SAMPLES)
        VoiceStore(open_to_all).add(voice("Bob"), SAMPLES)
    finally:
        os.umask(before)
    for folder in (tmp_path / "deep" / "voices", open_to_all / "bob"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_name_is_taken_once(store: VoiceStore) -> None:
    """Also where several add it at the same moment; what was there stays."""
    outcomes: list[str] = []

    def add(index: int) -> None:
        try:
            store.add(voice("Bob", index), SAMPLES)
            outcomes.append("added")
        except VoiceExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=add, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["added", *["exists"] * 7]
    assert len(store.all()) == 1


def test_deletion(store: VoiceStore, tmp_path: Path) -> None:
    """Nothing is left, and the name is free again."""
    store.add(voice("Bob"), SAMPLES)
    assert store.delete("bob")
    assert not store.delete("bob")
    assert store.get("bob") is None
    assert list((tmp_path / "deep" / "voices").iterdir()) == []
    store.add(voice("Bob"), SAMPLES)


@pytest.mark.parametrize("name", ["", ".", "..", "../bob", "/etc", "bob/audio.wav", "BOB", "a\0b"])
def test_an_id_is_never_a_path(store: VoiceStore, name: str) -> None:
    """Neither read nor deleted, whatever is there."""
    store.add(voice("Bob"), SAMPLES)
    assert store.get(name) is None
    assert not store.delete(name)
    assert store.get("bob")


KILLED_AT = """
import os, sys
from pathlib import Path
from qwen_tts_api.service.voices.voice import Voice
from qwen_tts_api.service.voices.store import VoiceStore
from tests.recordings import tone

calls = int(sys.argv[2])

def die_in_time(function):
    def call(*args, **kwargs):
        global calls
        calls -= 1
        if calls < 0:
            os._exit(9)  # as SIGKILL: nothing is tidied up
        return function(*args, **kwargs)
    return call

os.fsync = die_in_time(os.fsync)
Path.rename = die_in_time(Path.rename)
Path.mkdir = die_in_time(Path.mkdir)
Path.open = die_in_time(Path.open)
store = VoiceStore(Path(sys.argv[1]))
if sys.argv[3] == "add":
    store.add(Voice("bob", "Bob"), tone(1.5, 24_000)[:, 0])
else:
    store.delete("bob")
"""


@pytest.mark.slow
@pytest.mark.parametrize("action", ["add", "delete"])
def test_a_killed_process_leaves_all_or_nothing(tmp_path: Path, action: str) -> None:
    """Whichever step it dies at; the next start clears up what is hidden."""
    seen = set()
    for calls in range(20):
        folder = tmp_path / str(calls)
        store = VoiceStore(folder)
        if action == "delete":
            store.add(voice("Bob"), SAMPLES)
        arguments = [sys.executable, "-c", KILLED_AT, str(folder), str(calls), action]
        code = subprocess.run(arguments, cwd=Path(__file__).parents[3]).returncode
        found = store.all()
        seen.add(bool(found))
        for whole in found:
            assert np.array_equal(store.samples(whole), SAMPLES)
        store.clean()
        left = [path.name for path in folder.iterdir()] if folder.exists() else []
        assert left == [found[0].id for _ in found]
        if code == 0:
            break
        assert code == 9
    assert code == 0
    assert seen == {True, False}


def test_what_is_being_written_is_not_cleared_away(store: VoiceStore, tmp_path: Path) -> None:
    """A start beside a process at work: its lock tells, from before there is anything to see."""
    folder = tmp_path / "deep" / "voices"
    left = folder / ".scratch-1-a", folder / ".scratch-2-b"
    left[0].mkdir(parents=True)
    os.mkfifo(left[1])
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    store.clean()
    assert all(path.exists() for path in left)
    os.close(descriptor)
    store.clean()
    assert list(folder.iterdir()) == []


def test_who_changes_the_folder_waits_for_others(
    store: VoiceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another process, too; one that never ends costs an error, not the thread."""
    store.add(voice("Bob"), SAMPLES)
    monkeypatch.setattr(files, "LOCK_TIMEOUT_S", 0.0)
    descriptor = os.open(tmp_path / "deep" / "voices", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        store.add(voice("Anna"), SAMPLES)
    with pytest.raises(BlockingIOError):
        store.delete("bob")
    assert [found.id for found in store.all()] == ["bob"]
    os.close(descriptor)


ADD_ONE = """
import sys
from pathlib import Path
from qwen_tts_api.errors import TooManyVoices
from qwen_tts_api.service.voices.voice import Voice
from qwen_tts_api.service.voices.store import VoiceStore
from tests.recordings import tone

print("ready", flush=True)
sys.stdin.readline()
try:
    for number in range(4):
        name = f"{sys.argv[2]}{number}"
        VoiceStore(Path(sys.argv[1])).add(Voice(name, name), tone(1.5, 24_000)[:, 0], 5)
except TooManyVoices:
    pass
"""


def test_processes_do_not_share_a_place(tmp_path: Path) -> None:
    """As many voices as are allowed, whoever adds them."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ADD_ONE, str(tmp_path / "voices"), name],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
        assert process.returncode == 0
    assert len(VoiceStore(tmp_path / "voices").all()) == 5


def replace_by(path: Path, kind: str) -> None:
    """Put something else where a file was."""
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"loop": str(path), "device": "/dev/zero"}[kind])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "voice.json").write_text("{"),
        lambda folder: (folder / "voice.json").write_text("[]"),
        lambda folder: (folder / "voice.json").write_bytes(b"\xff"),
        lambda folder: (folder / "voice.json").write_text('{"id": "bob"}'),
        lambda folder: (folder / "voice.json").write_text(
            json.dumps(json.loads((folder / "voice.json").read_text()) | {"created_at": "now"})
        ),
        lambda folder: (folder / "voice.json").write_text(
            json.dumps(json.loads((folder / "voice.json").read_text()) | {"id": "anna"})
        ),
        lambda folder: (folder / "voice.json").unlink(),
        lambda folder: (folder / "audio.wav").unlink(),
        lambda folder: (folder / "voice.json").write_text('{"a":' * 12_000),
        lambda folder: (folder / "voice.json").write_text("[" * 60_000),
        lambda folder: (folder / "voice.json").write_text("[" * 200_000),
        lambda folder: (folder / "voice.json").write_text("9" * 60_000),
        lambda folder: replace_by(folder / "voice.json", "fifo"),
        lambda folder: replace_by(folder / "voice.json", "folder"),
        lambda folder: replace_by(folder / "voice.json", "loop"),
        lambda folder: replace_by(folder / "voice.json", "device"),
        lambda folder: replace_by(folder / "audio.wav", "fifo"),
        lambda folder: replace_by(folder / "audio.wav", "folder"),
        lambda folder: replace_by(folder / "audio.wav", "loop"),
        lambda folder: replace_by(folder / "audio.wav", "device"),
        lambda folder: os.truncate(folder / "audio.wav", 1 << 40),
        *(
            lambda folder, change=change: (folder / "voice.json").write_text(
                json.dumps(json.loads((folder / "voice.json").read_text()) | change)
            )
            for change in (
                {"name": None},
                {"name": ""},
                {"name": "a\nb"},
                {"name": "\ud800"},
                {"name": "n" * 1000},
                {"kind": "speaker"},
                {"ref_text": "\ud800"},
                {"ref_text": "t" * 3000},
                {"duration_s": float("nan")},
                {"duration_s": [1.5]},
                {"created_at": True},
                {"unheard_of": 1},
            )
        ),
    ],
)
def test_an_unreadable_voice_is_logged_once_and_passed_over(
    store: VoiceStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    """The others are served; it can be deleted."""
    store.add(voice("Bob"), SAMPLES)
    other = store.add(voice("Anna"), SAMPLES)
    assert callable(damage)
    damage(tmp_path / "deep" / "voices" / "bob")
    assert store.all() == [other]
    assert store.get("bob") is None
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "voices/bob" in errors[0].getMessage()
    assert store.delete("bob")


@pytest.mark.parametrize("missing", ["voice.json", "audio.wav"])
def test_a_voice_that_is_added_while_it_is_looked_for_is_whole(
    store: VoiceStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    missing: str,
) -> None:
    """Between the reads of its files another thread renames it to its place."""
    added: list[Voice] = []
    name = "read_regular" if missing == "voice.json" else "open_regular"
    read = getattr(files, name)

    def read_too_early(path: Path, max_bytes: int) -> object:
        if path.name == missing and not added:
            store.delete("bob")
            added.append(store.add(voice("Bob"), SAMPLES))
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return read(path, max_bytes)

    if missing == "audio.wav":
        store.add(voice("Bob"), QUIET)
    monkeypatch.setattr(f"qwen_tts_api.service.voices.store.{name}", read_too_early)
    found = store.get("bob")
    assert [found] == added
    assert caplog.text == ""


def test_a_recording_that_was_changed_is_not_used(store: VoiceStore, tmp_path: Path) -> None:
    """A voice is what was registered, or an error."""
    stored = store.add(voice("Bob"), SAMPLES)
    path = tmp_path / "deep" / "voices" / "bob" / "audio.wav"
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    # The last of them claims to have 2^36 samples.
    flac = b"fLaC\x80\x00\x00\x22\x10\x00\x10\x00" + bytes(6) + b"\x05\xdc\x00\xff" + b"\xff" * 4
    others = recording(2.0, "FLAC"), recording(2.0), flac + bytes(16)
    for content in (bytes(data), bytes(data[:-2000]), b"", b"RIFF", *others):
        path.write_bytes(content)
        with pytest.raises(OSError, match=r"audio\.wav"):
            store.samples(stored)
    replace_by(path, "fifo")
    with pytest.raises(OSError, match=r"audio\.wav"):
        store.samples(stored)


def test_foreign_files_in_the_folder_do_not_matter(store: VoiceStore, tmp_path: Path) -> None:
    """Such as lost+found of a volume."""
    stored = store.add(voice("Bob"), SAMPLES)
    folder = tmp_path / "deep" / "voices"
    (folder / "lost+found").mkdir()
    (folder / "README").write_text("x")
    (folder / "file").write_text("x")
    store.clean()
    assert store.all() == [stored]
    assert store.get("file") is None
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("call", range(4))
def test_nothing_is_left_where_the_disk_is_full(
    store: VoiceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: int
) -> None:
    """Whatever is the first to be refused; the caller hears of it, and the folder is as before."""
    calls = iter(range(100))
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if next(calls) >= call:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=os.strerror(number)):
        store.add(voice("Bob"), SAMPLES)
    assert list((tmp_path / "deep" / "voices").iterdir()) == []


@for_each(
    ("name", "expected"),
    [
        ("Bob", "bob"),
        (" Anna  Müller ", "anna-muller"),
        ("Uncle_Fu", "uncle_fu"),
        ("a/../b", "a-b"),
        ("...", ""),
        ("x" * 64, "x" * 64),
    ],
)
def test_ids_are_made_of_names(name: str, expected: str) -> None:
    """Lower case, without accents, never a path."""
    assert voice_id(name) == expected
    assert voice_id(expected) == expected


def test_names_in_other_scripts_have_ids_of_their_own() -> None:
    """The same name always the same one."""
    names = ["小明", "小红", "Анна", "小明 2", "小红 2", "x" * 65, "x" * 66]
    ids = [voice_id(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(one) <= 64 and one.isascii() for one in ids)
    assert [voice_id(one) for one in ids] == ids
    assert voice_id("e\u0301") == voice_id("é") == "e"


@for_each("name", ["", " ", "x" * 101, "!?", "a\nb", "a\0", "\ud800a", "a\u202eb"])
def test_what_is_no_name(name: str) -> None:
    """Nothing that breaks a line or a list."""
    with pytest.raises(Exception, match="'name'"):
        check_name(name)
