"""Batch norm of one view at a time: what a recipe says of it, and is told."""

import pytest

import coview
from coview.experiment.trial import try_out
from coview.model.topology import build_topology


def test_a_recipe_says_so_and_is_told_where_it_changes_nothing(write_recipe, small_recipe, registry):
    text = small_recipe.replace("[train]\n", '[train]\nbatch_norm = "per_view"\n')
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    assert recipe.tables["train"]["batch_norm"] == "per_view"
    assert build_topology(recipe, registry).student.apart
    assert recipe.warnings == ()
    one_view = coview.load_recipe(
        write_recipe(), registry=registry, sets=["train.batch_norm=per_view", "data.views=1", "loss.use=koleo"]
    )
    (warning,) = one_view.warnings
    assert 'train.batch_norm = "per_view" has no effect on a single view' in warning
    vit = ["encoder={use='vit', image_size=8, patch=4, width=8, layers=1, heads=2}", "projector.batch_norm=false"]
    without = coview.load_recipe(write_recipe(text), registry=registry, sets=vit)
    with pytest.warns(UserWarning, match="changes nothing but the time: the model has no batch norm"):
        try_out(without, registry)


@pytest.mark.parametrize(
    ("sets", "key"),
    [
        (["train.grad_cache=1"], "grad_cache"),
        (["train.batch_size=1", "loss={use='negative_cosine'}", "predictor={}", "teacher={}"], "batch_size"),
        (["teacher.shuffle_groups=32"], "shuffle_groups"),
    ],
)
def test_a_single_row_at_a_time_is_refused(write_recipe, registry, tmp_path, sets, key):
    recipe = coview.load_recipe(write_recipe(), registry=registry, sets=["train.batch_norm=per_view", *sets])
    for refused in (
        lambda: coview.run(recipe, tmp_path / "runs", registry=registry),
        lambda: try_out(recipe, registry),
    ):
        with pytest.raises(coview.CoviewError, match=f"{key}: train.batch_norm = .* leaves batch norm a single sample"):
            refused()
    assert not (tmp_path / "runs").exists()
