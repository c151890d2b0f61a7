import errno

import pytest

from coview.data.atomic import replacing
from coview.data.disk_error import disk_error, is_refusal
from forked import Forked


def raised(make):
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_os_error_is_itself_and_another_is_none():
    full = OSError(errno.ENOSPC, "No space left on device", "file")
    assert disk_error(full) is full
    assert is_refusal(full)
    assert disk_error(ValueError("no")) is None
    assert not is_refusal(FileNotFoundError(errno.ENOENT, "No such file"))


def test_it_is_found_behind_what_a_library_makes_of_it():
    full = OSError(errno.EDQUOT, "Disk quota exceeded")

    def wrapped():
        try:
            raise full
        except OSError as error:
            raise RuntimeError("unexpected pos 704 vs 598") from error

    assert disk_error(raised(wrapped)) is full


LIBRARIES = {
    "safetensors": "from safetensors.torch import save_file; save_file({'a': torch.zeros(9000)}, sys.argv[1])",
    "torch": "torch.save({'a': torch.zeros(9000)}, open(sys.argv[1], 'wb'))",
    "numpy": "import numpy; numpy.save(sys.argv[1], numpy.zeros(9000))",
}
FULL = """
import resource, signal, sys, torch
from coview.data.atomic import replacing
from coview.data.disk_error import disk_error, is_refusal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    {write}
except Exception as error:
    found = disk_error(error)
    print(found is not None and is_refusal(found), type(error).__name__, error)
"""


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("library", LIBRARIES)
def test_of_each_library_that_writes_for_us(tmp_path, library):
    code = FULL.format(write=LIBRARIES[library])
    _, out, err = Forked(["python", "-c", code, str(tmp_path / "x.npy")], tmp_path).finish()
    assert out.startswith("True "), out + err


def test_a_refusal_within_a_library_names_the_file_that_was_wanted(tmp_path):
    """safetensors and torch name no file, and what is written is beside the one that is meant."""
    file = tmp_path / "features.safetensors"
    with pytest.raises(OSError, match="No space left") as refused, replacing(file):
        raise RuntimeError("[enforce fail] 10 requested and 3 written")
    assert refused.value.filename == str(file)
    with pytest.raises(RuntimeError, match="something else"), replacing(file):
        raise RuntimeError("something else")
