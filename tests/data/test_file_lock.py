import errno
import fcntl
import subprocess
import sys
import time

import pytest

from coview.data.file_lock import LockHeldError, file_lock

HOLD = """
import sys, time
from pathlib import Path
from coview.data.file_lock import file_lock
with file_lock(Path(sys.argv[1]), wait=False, say=print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock for so many seconds."""
    started = []

    def hold(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / ".lock"), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()


def test_a_second_process_is_refused_or_waits_and_a_killed_one_holds_nothing(tmp_path, holder):
    path, said = tmp_path / ".lock", []
    holder(1.0)
    with pytest.raises(LockHeldError), file_lock(path, wait=False, say=said.append):
        pass
    began = time.monotonic()
    with file_lock(path, wait=True, say=said.append):
        assert time.monotonic() - began > 0.2
    process = holder(60)
    process.kill()
    process.wait()
    with file_lock(path, wait=False, say=said.append):
        pass
    assert said == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP])
def test_a_file_system_without_locks_is_said_and_goes_on(tmp_path, monkeypatch, number):
    def refuse(descriptor, operation):
        raise OSError(number, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said = []
    with file_lock(tmp_path / ".lock", wait=False, say=said.append):
        pass
    assert len(said) == 1
    assert f"the file system of {tmp_path} has no locks" in said[0]


def test_without_somebody_to_tell_it_is_a_warning(tmp_path, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="^the file system of .* has no locks"), file_lock(tmp_path / ".lock"):
        pass


def test_what_else_is_wrong_is_raised(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), file_lock(tmp_path / "file" / ".lock", wait=False, say=print):
        pass
