import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coview.data.atomic import ABANDONED, name_beside, remove_abandoned, replacing, write_atomically

KILLED = """
import os, sys
from pathlib import Path
from coview.data.atomic import replacing
with replacing(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), 9)
"""


def write_and_be_killed(path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_has_begun_is_removed_by_the_next_write_of_the_file(tmp_path):
    path = tmp_path / "re[port].html"
    write_atomically(path, "whole")
    write_and_be_killed(path)
    assert len(names(tmp_path)) == 2
    assert path.read_text() == "whole"
    write_atomically(path, "new")
    assert names(tmp_path) == ["re[port].html"]
    assert path.read_text() == "new"


def test_or_by_who_asks_for_the_whole_folder_and_nothing_else_is(tmp_path):
    (tmp_path / "items").mkdir()
    write_and_be_killed(tmp_path / "items" / "a.npy")
    write_and_be_killed(tmp_path / "results.json")
    for other in (".hidden.tmp", "notes.tmp", ".of.another-host.1.tmp.json", ".x.tmp.json"):
        (tmp_path / other).write_text("somebody's")
    with replacing(tmp_path / "in-use.json") as beside:  # by a process that lives
        beside.write_text("x")
        remove_abandoned(tmp_path, f"**/.*{ABANDONED}")
        assert beside.exists()
    assert names(tmp_path) == sorted(
        [".hidden.tmp", "notes.tmp", ".of.another-host.1.tmp.json", ".x.tmp.json", "in-use.json", "items"]
    )
    assert names(tmp_path / "items") == []


def test_two_processes_write_one_file_and_it_is_one_of_theirs(tmp_path):
    path = tmp_path / "file.txt"
    texts = [str(number) * 50_000 for number in range(2)]
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(path, text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert path.read_text() in texts
    assert names(tmp_path) == ["file.txt"]


def _write_often(path, text):
    for _ in range(20):
        write_atomically(path, text)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text(f"half of {1 / 0}")
    assert (names(tmp_path), path.read_text()) == (["a.json"], "old")


def test_the_name_beside_keeps_the_suffix():
    assert name_beside(Path("x/a.npy")).suffix == ".npy"
    assert str(os.getpid()) in name_beside(Path("x/a.npy")).name
