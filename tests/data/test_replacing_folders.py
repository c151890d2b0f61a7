"""A folder is replaced as a whole, whenever the process that replaces it is killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from coview.data.atomic import is_unsettled, put_folder, replacing, replacing_folder, settle_folder

OLD, NEW = [f"{number}.txt" for number in range(6)], [f"{number}.bin" for number in range(4)]

# replaces the folder in a fork for each number, which is killed at so many-th change of the file system
KILLED = """
import os, sys
from pathlib import Path
from coview.data.atomic import replacing_folder
root = Path(sys.argv[1])
for number in range(1, 60):
    folder = root / str(number) / "folder"
    pid = os.fork()
    if pid == 0:
        seen = 0
        def hook(event, args):
            global seen
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
                seen += 1
                if seen == number:
                    os._exit(9)
        sys.addaudithook(hook)
        with replacing_folder(folder) as beside:
            for name in sys.argv[2:]:
                (beside / name).write_text("new")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        break
"""


def fill(folder, names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("")


def names(folder):
    return sorted(os.listdir(folder))


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_one_whole(tmp_path):
    for number in range(1, 60):
        fill(tmp_path / str(number) / "folder", OLD)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *NEW], check=True)
    found, between = [], 0
    for parent in sorted(tmp_path.iterdir(), key=lambda path: int(path.name)):
        folder = parent / "folder"
        between += not folder.exists()
        if folder.exists():
            assert names(folder) in (OLD, NEW)
        settle_folder(folder)
        assert names(parent) == ["folder"], "nothing is left over"
        found.append(names(folder))
    kills = found.index(OLD, found.index(NEW)) if OLD in found[found.index(NEW) :] else len(found)
    assert found[:2] == [OLD, OLD]
    assert kills >= 8, "killed before, while and after the folders change places"
    assert between == 1, "only between the two renames is neither there, and then the old one is put back"
    assert found[:kills] == sorted(found[:kills], key=lambda each: each == NEW), "once new, it stays new"


def test_half_of_an_old_one_that_was_being_removed_is_never_put_back(tmp_path):
    fill(tmp_path / ".folder.gone", OLD[:2])
    fill(tmp_path / ".folder.part", NEW[:2])
    assert is_unsettled(tmp_path / "folder")
    settle_folder(tmp_path / "folder")
    assert names(tmp_path) == []
    assert not is_unsettled(tmp_path / "folder")


def test_one_that_fails_leaves_what_was_there(tmp_path):
    fill(tmp_path / "folder", OLD)
    with contextlib.suppress(FileExistsError), replacing_folder(tmp_path / "folder") as beside:
        (beside / "half").mkdir()
        (beside / "half").mkdir()
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == OLD


def test_if_the_new_one_cannot_take_its_place_the_old_one_goes_back(tmp_path):
    fill(tmp_path / "folder", OLD)
    with pytest.raises(FileNotFoundError):
        put_folder(tmp_path / "nowhere", tmp_path / "folder")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == OLD


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path):
    fill(tmp_path / "elsewhere", OLD)
    (tmp_path / "folder").symlink_to("elsewhere")
    with replacing_folder(tmp_path / "folder") as beside:
        (beside / "new").write_text("")
    assert names(tmp_path) == ["elsewhere", "folder"]
    assert (names(tmp_path / "elsewhere"), names(tmp_path / "folder")) == (OLD, ["new"])


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_or_stays(tmp_path, durable):
    (tmp_path / "a.npz").write_text("old")
    with contextlib.suppress(FileExistsError), replacing(tmp_path / "a.npz", durable=durable) as beside:
        beside.write_text("half")
        beside.mkdir()
    assert (names(tmp_path), (tmp_path / "a.npz").read_text()) == (["a.npz"], "old")
    with replacing(tmp_path / "a.npz", durable=durable) as beside, replacing(tmp_path / "a.npz") as another:
        assert beside != another
        assert beside.suffix == ".npz"
        for path in (beside, another):
            path.write_text("new")
    assert (names(tmp_path), (tmp_path / "a.npz").read_text()) == (["a.npz"], "new")
