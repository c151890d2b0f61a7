"""Features that were kept are read as they were, or embedded again where the file is damaged or of something else."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from safetensors.torch import save_file

from coview.data.batch import Skipped
from coview.evaluate.embedding import Embedded, _digest, read_embedded, write_embedded
from coview.evaluate.features import FeatureSplit
from coview.experiment.shared_work import there_or_made

OF = {"rows": 4, "recipe": "abc"}


@pytest.fixture
def kept(tmp_path):
    split = FeatureSplit(x_ND=torch.eye(3), ids_N=torch.arange(3), labels_N=torch.tensor([0, 1, 0]))
    path = tmp_path / "train.safetensors"
    write_embedded(path, Embedded(split, (Skipped(3, "caf\udce9.png", "is empty"),), None), OF)
    return path


def test_what_was_kept_comes_back(kept):
    found = read_embedded(kept, OF)
    assert torch.equal(found.features.x_ND, torch.eye(3))
    assert found.features.labels_N.tolist() == [0, 1, 0]
    assert found.skipped == (Skipped(3, "caf\udce9.png", "is empty"),)
    assert read_embedded(kept, {**OF, "rows": 5}) is None


@pytest.mark.parametrize("size", [0, 7, 60, -4])
def test_a_part_of_it_is_nothing(kept, size):
    kept.write_bytes(kept.read_bytes()[:size])
    with pytest.warns(UserWarning, match="is damaged, and is made again"):
        assert read_embedded(kept, OF) is None


def test_one_bit_anywhere_is_nothing(kept):
    whole = kept.read_bytes()
    for place in range(8, len(whole)):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # another "of" is no damage
            assert read_embedded(kept, OF) is None, place
    kept.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.warns(UserWarning, match=r"train\.safetensors is damaged, .* it has been changed"):
        read_embedded(kept, OF)


@pytest.mark.parametrize(
    ("tensors", "skipped"),
    [
        ({"ids_N": torch.arange(3)}, "[]"),
        ({"x_ND": torch.eye(3), "unknown": torch.eye(3)}, "[]"),
        ({"x_ND": torch.eye(3), "ids_N": torch.arange(3)}, "[[1]]"),
        ({"x_ND": torch.eye(3), "ids_N": torch.arange(3)}, "3"),
        ({"x_ND": torch.eye(3), "ids_N": torch.arange(3)}, "{"),
        ({"x_ND": torch.eye(3), "ids_N": torch.arange(3)}, "[]"),
    ],
    ids=["no features", "more", "half a sample", "a number", "no JSON", "no digest"],
)
@pytest.mark.parametrize("vouched", [False, True])
def test_what_has_other_parts_is_nothing(kept, tensors, skipped, vouched):
    metadata = {"of": json.dumps(OF), "skipped": skipped}
    digest = {"sha256": _digest(tensors, metadata)} if vouched else {}
    save_file(tensors, kept, metadata={**metadata, **digest})
    if vouched and skipped == "[]" and tensors.keys() == {"x_ND", "ids_N"}:
        assert torch.equal(read_embedded(kept, OF).features.x_ND, torch.eye(3))
        return
    with pytest.warns(UserWarning, match="is damaged"):
        assert read_embedded(kept, OF) is None


def test_features_that_cannot_be_kept_for_other_runs_are_used_and_that_is_said(tmp_path):
    split = FeatureSplit(x_ND=torch.eye(3), ids_N=torch.arange(3), labels_N=None)
    embedded = Embedded(split, (), None)
    (tmp_path / "full").write_text("")  # nothing can be written below a file
    with pytest.warns(UserWarning, match="the raw control's test features are not kept: .*full"):
        found = there_or_made(tmp_path / "full" / "features", {}, lambda: embedded, "the raw control's test features")
    assert found is embedded
