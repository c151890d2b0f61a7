"""What authors' code does to biases, norms, predictors and patch embeddings, said by groups: the steps that it takes."""

import copy
import math

import pytest
import torch

import coview
from coview.model.parameter_groups import freeze_for_good, parameter_groups
from coview.model.topology import build_topology
from coview.train.learning_rates import LearningRates
from coview.train.length import Length
from coview.train.optimizer import build_optimizer

VIT = "{use='vit', image_size=8, patch=4, width=8, layers=2, heads=2, positions='sine'}"
TIMM = "{use='timm:vit_tiny_patch16_224', image_size=16}"


@pytest.fixture
def built(registry, write_recipe, small_recipe):
    """Model, optimiser, rates and named parameters of the small recipe with another optimiser."""

    def built(optimizer, *sets):
        text = small_recipe.replace('[optimizer]\nuse = "sgd"\nlr = 0.05\n', optimizer)
        recipe = coview.load_recipe(write_recipe(text), registry=registry, sets=sets)
        topology = build_topology(recipe, registry)
        groups = parameter_groups(recipe, registry, topology.student, topology.loss)
        freeze_for_good(groups)
        made = build_optimizer(recipe, registry, groups)
        rates = LearningRates(recipe, registry, groups, made, Length(100, 10, 10))
        named = {name: parameter for group in groups for name, parameter in group.parameters.items()}
        generator = torch.Generator().manual_seed(1)
        for parameter in named.values():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        return topology, made, rates, named

    return built


def rate_of(made, parameter):
    (rate,) = (group["lr"] for group in made.param_groups if any(p is parameter for p in group["params"]))
    return rate


def after_steps(made, named, steps=3):
    for _ in range(steps):
        made.step()
    return {name: parameter.detach() for name, parameter in named.items()}


def test_sgd_that_decays_all_parameters(built):
    """MoCo v2's and SimSiam's: ``torch.optim.SGD(model.parameters(), …)``."""
    _, made, _, named = built(
        '[optimizer]\nuse = "sgd"\nlr = 0.06\nweight_decay = 0.1\n[[optimizer.group]]\nmatch = "*"\nweight_decay = 0.1\n'
    )
    others = copy.deepcopy(list(named.values()))
    for other, parameter in zip(others, named.values(), strict=True):
        other.grad = parameter.grad.clone()
    peer = torch.optim.SGD(others, lr=0.06, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        peer.step()
    for other, found in zip(others, after_steps(made, named).values(), strict=True):
        assert torch.allclose(found, other, atol=1e-6)


def test_larc_that_decays_and_adapts_all_parameters(built):
    """SwAV's: apex's LARC without clipping around SGD, biases and norms included."""
    group = '[[optimizer.group]]\nmatch = "*"\nweight_decay = 0.01\nadapt = true\n'
    _, made, _, named = built(f'[optimizer]\nuse = "lars"\nlr = 4.8\nweight_decay = 0.01\n{group}')
    expected = {name: parameter.detach().clone() for name, parameter in named.items()}
    gradients = {name: parameter.grad.clone() for name, parameter in named.items()}
    for name, p in expected.items():
        momentum = torch.zeros_like(p)
        for _ in range(3):
            norm, of_gradient, step = p.norm(), gradients[name].norm(), gradients[name]
            if norm > 0 and of_gradient > 0:
                step = (step + 0.01 * p) * 0.001 * norm / (of_gradient + 0.01 * norm + 1e-8)
            else:
                step = step + 0.01 * p
            momentum = 0.9 * momentum + step
            p -= 4.8 * momentum
    for name, found in after_steps(made, named).items():
        assert torch.allclose(found, expected[name], atol=1e-5), name


def test_rates_of_their_own_for_parameters_of_one_dimension(built):
    """Barlow Twins': 0.2 and 0.0048 × batch / 256, warmed up and decayed alike, the latter neither decayed nor adapted."""
    batch = 2048 / 256
    _, made, rates, named = built(
        f'[optimizer]\nuse = "lars"\nlr = {0.2 * batch}\nweight_decay = 1.5e-6\n'
        '[[optimizer.group]]\nmatch = "bias_and_norm"\nlr_scale = 0.024\n'
        "[schedule]\nwarmup = 10\nend = 0.001\n"
    )
    for step in (0, 4, 9, 10, 55, 99):
        rates.set(step)
        shape = 0.5 * (1 + math.cos(math.pi * (step - 10) / 90))
        share = (step + 1) / 10 if step < 10 else shape + 0.001 * (1 - shape)
        for parameter in named.values():
            expected = batch * share * (0.0048 if parameter.ndim == 1 else 0.2)
            assert rate_of(made, parameter) == pytest.approx(expected, rel=1e-9)
    for group in made.param_groups:
        is_of_one = {parameter.ndim == 1 for parameter in group["params"]}
        assert len(is_of_one) == 1
        assert (group["weight_decay"], group["always_adapt"]) == ((0.0, False) if is_of_one.pop() else (1.5e-6, True))


def test_a_predictor_whose_rate_does_not_decay(built):
    """SimSiam's ``--fix-pred-lr``."""
    _, made, rates, named = built(
        '[optimizer]\nuse = "sgd"\nlr = 0.05\n[[optimizer.group]]\nmatch = "predictor.*"\nschedule = "constant"\n',
        "predictor={}",
        "teacher.stop_gradient=true",
    )
    for step in (0, 50, 99):
        rates.set(step)
        for name, parameter in named.items():
            share = 1 if name.startswith("predictor.") else 0.5 * (1 + math.cos(math.pi * step / 100))
            assert rate_of(made, parameter) == pytest.approx(0.05 * share)


@pytest.mark.parametrize("encoder", [VIT, TIMM])
def test_a_patch_embedding_that_is_never_trained(built, encoder):
    """MoCo v3's ``--stop-grad-conv1``."""
    topology, made, _, named = built(
        '[optimizer]\nuse = "adamw"\nlr = 1.0\n[[optimizer.group]]\nmatch = "encoder.model.patch_embed.*"\nfreeze = true\n',
        f"encoder={encoder}",
        "teacher={}",
    )
    before = {name: parameter.detach().clone() for name, parameter in named.items()}
    after = after_steps(made, {name: named[name] for name in named})
    stayed = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert {"encoder.model.patch_embed.proj.weight", "encoder.model.patch_embed.proj.bias"} <= stayed
    assert stayed - {"encoder.model.pos_embed"} == {name for name in named if "patch_embed" in name}
    topology.teacher.follow(topology.student, 0.0)
    embedding = topology.teacher.towers.towers["image"].encoder.model.patch_embed.proj.weight
    assert torch.allclose(embedding, before["encoder.model.patch_embed.proj.weight"], atol=1e-7)
