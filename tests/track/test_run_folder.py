from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview.track.run_folder import RunFolder, RunName


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("20261101-093000-abc123", ("20261101-093000", "abc123", 1)),
        ("20261101-093000-abc123-2", ("20261101-093000", "abc123", 2)),
        ("20261101-093000-000000-999", ("20261101-093000", "000000", 999)),
        ("20261101-093000-abc123 (copy)", None),
        ("20261101-093000-abc123-copy", None),
        ("20261101-093000-abc123-0", None),
        ("20261101-093000-ABC123", None),
        ("20261101-093000-abc12", None),
        ("20261101-093000-abc123\n", None),
        ("x-copy", None),
        ("backup-of-abc123", None),
        (".20261101-093000-abc123", None),
        ("", None),
    ],
)
def test_names(name, parts):
    found = RunName.parse(name)
    assert (found and (found.stamp, found.hash, found.number)) == parts
    if found:
        assert str(found) == name


@given(st.text())
def test_no_name_is_too_strange(name):
    found = RunName.parse(name)
    assert found is None or str(found) == name


def test_the_time_of_a_name():
    assert RunName.parse("20261101-093000-abc123-10").local_time() == datetime(2026, 11, 1, 9, 30)
    with pytest.raises(ValueError, match="does not match format"):
        RunName("20261399-000000", "abc123").local_time()


def test_of_which_recipe_it_is():
    name = RunName.now("abc123" + "0" * 58, 3)
    assert name.is_of("abc123" + "f" * 58)
    assert not name.is_of("abc124" + "0" * 58)
    assert RunFolder(Path("runs/small") / str(name)).run_name() == name
    with pytest.raises(ValueError, match="does not have the name of a run"):
        RunFolder(Path("runs/copy")).run_name()
