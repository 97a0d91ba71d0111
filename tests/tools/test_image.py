"""What a build of the image is told of this machine's pip and apt."""

from __future__ import annotations

import configparser
from pathlib import Path

from tools.image.build import base_name
from tools.image.outside import INSIDE, apt_options, apt_sources, outside


def test_pip_as_it_comes_has_nothing_to_tell() -> None:
    result = outside("")
    assert result.mounts == {}
    assert result.pip_conf.split() == ["[global]"]


def test_addresses_are_passed_on_and_the_environment_comes_first() -> None:
    result = outside(
        "global.index-url='https://files/simple'\n"
        "global.timeout='15'\n"
        "install.timeout='30'\n"
        ":env:.timeout='60'\n"
        ":env:.no-cache-dir='1'\n"
    )
    parser = configparser.RawConfigParser()
    parser.read_string(result.pip_conf)
    assert dict(parser["global"]) == {"index-url": "https://files/simple", "timeout": "60"}
    assert result.mounts == {}


def test_folders_are_seen_where_they_are(tmp_path: Path) -> None:
    """An index with the folder that it is in: its links may lead beside it."""
    index, wheels = tmp_path / "mirror" / "simple", tmp_path / "wheels"
    index.mkdir(parents=True)
    wheels.mkdir()
    result = outside(
        f"global.extra-index-url='https://files/simple {index.as_uri()}'\n"
        f"global.find-links='{wheels} {tmp_path}/not-there'\n"
    )
    assert result.mounts == {path: path for path in (index.parent, wheels)}
    assert f"extra-index-url = https://files/simple {index.as_uri()}\n" in result.pip_conf
    assert f"find-links = {wheels} {tmp_path}/not-there\n" in result.pip_conf


def test_a_certificate_is_seen_where_no_package_puts_its_own(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.touch()
    result = outside(f"global.cert='{file}'\n")
    assert result.mounts == {file: INSIDE / "cert.pem"}
    assert f"cert = {INSIDE}/cert.pem\n" in result.pip_conf


def test_apt_is_told_how_to_reach_the_archives() -> None:
    lines = [
        'Acquire::http::Proxy "http://proxy:3142";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::cdrom::mount "/media/cdrom/";',
        'APT::Architecture "amd64";',
    ]
    assert apt_options("\n".join(lines)) == lines[:2]


def test_only_the_distribution_s_own_archives_make_the_base(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name in ("sources.list", "sources.list.d/debian.sources", "sources.list.d/other.list"):
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in apt_sources(tmp_path)]
    assert names == ["sources.list", "sources.list.d/debian.sources"]


def test_the_stand_in_has_the_name_that_the_dockerfile_asks_for() -> None:
    assert base_name().startswith("docker.io/nvidia/cuda:")
