"""Shared fixtures."""

import pytest
from small_graphs import write_planetoid, write_tu


@pytest.fixture
def planetoid(tmp_path):
    """A folder with Planetoid's files of a small graph called tiny."""
    return write_planetoid(tmp_path / "planetoid")


@pytest.fixture
def tu(tmp_path):
    """A folder with TU Dortmund's files of small graphs called tiny."""
    return write_tu(tmp_path / "tiny")
