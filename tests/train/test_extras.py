"""What samples say of themselves reaches the loss that names it, and no other: in every way a batch can take."""

import pytest
import torch
from purchases import OfOneUser, registry
from safetensors.torch import load_file

import coview
from coview.data.order import Order
from coview.experiment.trial import try_out

RECIPE = """
schema = 1
name = "purchases"

[data]
use = "purchases"
workers = 0

[[augment]]
use = "jitter"

[encoder]
use = "linear"

[projector]
use = "identity"

[loss]
use = "of_one_user"

[optimizer]
use = "sgd"
lr = 0.5

[train]
steps = 3
batch_size = 8
device = "cpu"
precision = "fp32"
"""


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(*sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(RECIPE), sets=sets, registry=found)
        OfOneUser.seen = ()
        run = coview.run(recipe, tmp_path / name, registry=found, quiet=True)
        weights = load_file(run.checkpoint.path / "weights.safetensors")
        return weights, [views for views in OfOneUser.seen if torch.is_grad_enabled()]

    return trained


def test_a_loss_sees_the_extras_of_each_sample_that_it_names(trained):
    _, seen = trained()
    of_run = seen[-3:]
    for step, views in enumerate(of_run):
        rows = Order(60, 8, 0).epoch(0)[8 * step :][:8]
        assert views.ids.tolist() == rows.tolist()
        assert views.ids_differ
        assert views.extras.keys() == {"user", "price"}
        assert views.extras["user"].tolist() == [row % 7 for row in rows]
        assert views.extras["user"].dtype == torch.int64
        assert torch.equal(views.extras["price"], torch.tensor([float(row) / 3 for row in rows]))


@pytest.mark.parametrize("workers", [2])
def test_loader_processes_change_nothing(trained, workers):
    alone, _ = trained()
    shared, _ = trained(f"data.workers={workers}", name="shared")
    assert all(torch.equal(alone[name], shared[name]) for name in alone)


def test_the_gradient_cache_changes_nothing_but_the_last_digits(trained):
    plain, _ = trained()
    cached, seen = trained("train.grad_cache=3", name="cached")
    assert len(seen[-1].extras["user"]) == 8
    for name, weight in plain.items():
        assert torch.allclose(cached[name], weight, rtol=0, atol=1e-6), name


def test_a_queue_beside_them(trained):
    _, seen = trained("queue.size=20", "teacher.momentum=0.9")
    assert seen[-1].queue.shape == (20, 6)
    assert len(seen[-1].extras["user"]) == 8


def test_they_are_there_with_a_validation_split_that_is_carved_out_of_train(trained):
    _, seen = trained('evaluate=[{use="knn", k=3, every=2}]')
    assert seen[-1].extras["user"].tolist() == [int(sample) % 7 for sample in seen[-1].ids]


def test_data_without_them_are_refused_before_training(write_recipe, tmp_path):
    found = registry()
    path = write_recipe(RECIPE)
    recipe = coview.load_recipe(path, sets=["data.lacks=price"], registry=found)
    for refused in (lambda: coview.run(recipe, tmp_path / "runs", registry=found), lambda: try_out(recipe, found)):
        with pytest.raises(coview.CoviewError) as caught:
            refused()
        assert caught.value.message == (
            f'{path}:19: loss.use: of_one_user needs the extras "user", "price" of each sample, and sample 0 '
            'of the data "purchases" does not have them: it has no extra price (has user, basket)'
        )
    assert not (tmp_path / "runs").exists()
