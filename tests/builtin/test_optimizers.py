"""Optimisers as recipes have them: what each step does, by hand, and those of the two libraries by their names."""

import pytest
import torch
from torch import nn

import coview
from coview.builtin.optimizers import timm_optimizer, torch_optimizer


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def groups(model):
    """As coview makes them of a recipe without groups."""
    vectors = {"weight_decay": 0.0, "adapt": False}
    return [
        {"params": [p for p in model.parameters() if p.ndim >= 2]},
        {"params": [p for p in model.parameters() if p.ndim < 2], **vectors},
    ]


def build(registry, use, params, **parameters):
    return registry.build("optimizer", use, supplied={"params": params}, **parameters)


def step_once(optimizer, model):
    for number, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, 0.1 * (number + 1))
    optimizer.step()


def test_lars_is_the_papers_update_on_matrices_and_sgds_on_vectors(registry):
    """One step by arXiv:1708.03888, algorithm 1, by hand."""
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    settings = {"lr": 0.3, "momentum": 0.9, "weight_decay": 0.01, "trust_coefficient": 0.02}
    step_once(build(registry, "lars", groups(model), **settings), model)
    for number, (old, new) in enumerate(zip(before, model.parameters(), strict=True)):
        gradient = torch.full_like(old, 0.1 * (number + 1))
        if old.ndim >= 2:
            trust = 0.02 * old.norm() / (gradient.norm() + 0.01 * old.norm() + 1e-8)
            expected = old - 0.3 * trust * (gradient + 0.01 * old)
        else:
            expected = old - 0.3 * gradient
        assert torch.allclose(new, expected, atol=1e-6), number


def test_lars_adapts_matrices_without_decay_too(registry):
    model = network()
    before = model[3].weight.detach().clone()
    step_once(build(registry, "lars", groups(model), lr=1.0, weight_decay=0.0), model)
    moved = (model[3].weight.detach() - before).norm() / before.norm()
    assert float(moved) == pytest.approx(0.001, rel=1e-3)


def test_lars_takes_a_trust_coefficient_for_a_group(registry):
    model = network()
    before = model[3].weight.detach().clone()
    params = [{"params": [model[3].weight], "trust_coefficient": 0.5}]
    optimizer = build(registry, "lars", params, lr=1.0, weight_decay=0.0)
    model[3].weight.grad = torch.ones_like(before)
    optimizer.step()
    assert float((model[3].weight.detach() - before).norm() / before.norm()) == pytest.approx(0.5, rel=1e-3)


def test_lars_does_not_pretend_to_decay_without_adapting(registry):
    with pytest.raises(coview.CoviewError, match="adapt = false needs weight_decay = 0"):
        build(registry, "lars", [{"params": list(network().parameters()), "adapt": False}], lr=0.1)


@pytest.mark.parametrize("use", ["sgd", "adamw"])
def test_decay_moves_matrices_and_leaves_vectors(registry, use):
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    params = [{key: value for key, value in group.items() if key != "adapt"} for group in groups(model)]
    optimizer = build(registry, use, params, lr=0.1, weight_decay=0.5)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter in model.parameters():
        expected = 1 - 0.1 * 0.5 if parameter.ndim >= 2 else 1.0
        assert torch.allclose(parameter, torch.full_like(parameter, expected))


FROM_LIBRARIES = [
    *(f"torch:{name}" for name in ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adafactor")),
    *(f"timm:{name}" for name in ("lamb", "lion", "lars", "adopt", "adamp", "sgdw", "muon", "nadamw")),
]


@pytest.mark.parametrize("use", FROM_LIBRARIES)
def test_a_librarys_optimizer_steps_as_the_library_steps(registry, use):
    family, _, name = use.partition(":")
    ours, peers = network(), network()
    without_decay = {"weight_decay": 0.0} if family == "timm" else {}  # as timm's own factory has it
    optimizer = build(registry, use, [{"params": list(ours.parameters())}], lr=0.01, **without_decay)
    if family == "torch":
        peer = vars(torch.optim)[name](peers.parameters(), lr=0.01)
    else:
        import timm.optim

        peer = timm.optim.create_optimizer_v2(peers.parameters(), opt=name, lr=0.01)
    for _ in range(3):
        step_once(optimizer, ours)
        step_once(peer, peers)
    before = network()
    for mine, theirs, start in zip(ours.parameters(), peers.parameters(), before.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert not torch.equal(mine, start)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("torch:LBFGS", "cannot be used: it takes several steps in one"),
        ("torch:Adm", 'torch has no optimizer "Adm", did you mean "Adam"'),
        ("timm:adahessian", "it needs second derivatives"),
        ("timm:bnbadam", "it comes from bitsandbytes"),
        ("timm:lamp", 'timm has no optimizer "lamp", did you mean "lamb"'),
    ],
)
def test_what_no_recipe_can_use_is_said(registry, use, message):
    with pytest.raises(coview.CoviewError, match=message):
        build(registry, use, [{"params": list(network().parameters())}], lr=0.1)


def test_every_optimizer_that_is_offered_has_a_schema_and_can_be_made(registry):
    """What PyTorch and timm have now; one that comes later is looked at when this test fails."""
    import timm.optim

    uses = [f"torch:{name}" for name in dir(torch.optim) if name[0].isupper()]
    uses += [f"timm:{name}" for name in timm.optim.list_optimizers()]
    refused = set()
    for use in uses:
        try:
            parameters = registry.parameters("optimizer", use)
        except coview.CoviewError:
            refused.add(use.partition(":")[2])
            continue
        assert {"lr"} <= {parameter.name for parameter in parameters.parameters}, use
        assert build(registry, use, [{"params": list(network().parameters())}], lr=0.1).param_groups, use
    foreign = {name for name in refused if name.startswith(("bnb", "fused"))}
    assert refused - foreign == {"LBFGS", "SparseAdam", "Muon", "Optimizer", "adahessian"}


def test_the_factories_are_the_librarys(registry):
    assert torch_optimizer("RAdam").__name__ == "RAdam"
    assert timm_optimizer("lion").__name__ == "Lion"
