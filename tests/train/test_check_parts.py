"""What takes batches apart by samples is refused where they cannot be, before anything is trained or written."""

import pytest

import coview
from coview.experiment.trial import try_out

RECIPE = """
schema = 1
name = "graphs"

[data]
use = "molecules"
workers = 0

[[augment]]
use = "jitter"

[encoder]
use = "mean"

[projector]
use = "identity"

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.01

[train]
steps = 2
batch_size = 8
device = "cpu"
precision = "fp32"
{more}
"""

CACHE = "grad_cache = 2"
GROUPS = "[teacher]\nshuffle_groups = 2"


@pytest.fixture
def recipe_of(write_recipe):
    """A recipe whose modality collates in some way."""

    def recipe_of(collating, more=""):
        mine = coview.Registrar("mine")
        mine.modality("graph", f"ragged:{collating}", summary="graphs")
        mine.dataset("molecules", "ragged:Molecules", summary="graphs")
        mine.augmentation("jitter", "ragged:Jitter", modality="graph", summary="noise")
        mine.encoder("mean", "ragged:Mean", modality="graph", summary="the mean")
        registry = coview.load_plugins().plus(mine)
        path = write_recipe(RECIPE.format(more=more))
        return coview.load_recipe(path, registry=registry), registry

    return recipe_of


@pytest.mark.parametrize("more", [CACHE, GROUPS])
@pytest.mark.parametrize(
    ("collating", "said"),
    [("Graphs", r'a tensor "nodes" of shape \(\d+, 3\) for 2 views of 3 samples'), ("Listed", 'a list "graphs"')],
)
def test_ragged_batches_are_refused(recipe_of, tmp_path, collating, said, more):
    recipe, registry = recipe_of(collating, more)
    key = "grad_cache" if more == CACHE else "shuffle_groups"
    with pytest.raises(coview.CoviewError, match=said) as found:
        coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    line = (tmp_path / "recipe.toml").read_text().splitlines().index(f"{key} = 2") + 1
    table = "train" if more == CACHE else "teacher"
    assert f"recipe.toml:{line}: {table}.{key}: takes batches apart by samples" in str(found.value)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(coview.CoviewError, match=said):
        try_out(recipe, registry)


@pytest.mark.parametrize(("collating", "more"), [("Graphs", ""), ("Padded", CACHE), ("Padded", GROUPS)])
def test_what_can_be_trained_is(recipe_of, tmp_path, collating, more):
    recipe, registry = recipe_of(collating, more)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert run.checkpoint.step == 2


@pytest.mark.parametrize(
    ("groups", "said"), [(9, "9 groups of a batch of 8 samples"), (2**62, "groups of a batch of 8")]
)
def test_more_groups_than_samples_are_refused(recipe_of, tmp_path, groups, said):
    recipe, registry = recipe_of("Padded", f"[teacher]\nshuffle_groups = {groups}")
    with pytest.raises(coview.CoviewError, match=said):
        coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert not (tmp_path / "runs").exists()
