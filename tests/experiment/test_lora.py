"""LoRA: what is trained, what stays, and that an encoder without the matrices says what the encoder with them says."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import timm
import torch
from torch import nn

import coview
from coview.experiment.trial import try_out
from coview.model.lora import weights_without_lora, without_lora
from coview.model.topology import build_topology
from coview.model.tower import build_towers
from coview.plugins.own_settings import LoraTable
from coview.train.checkpoint import tensors_of

pytest.importorskip("peft")

LORA = """
[encoder.lora]
rank = 4
alpha = 12.0
dropout = 0.1
match = ["encoder.*.qkv", "*.fc1"]
"""


def recipe_of(small, lora=LORA, more=""):
    text = small.replace(
        'use = "resnet18"\nstem = "small"\nwidth = 8\n', f'use = "timm:test_vit"\nimage_size = 16\n{lora}'
    )
    text = text.replace("size = 8", "size = 16").replace("lr = 0.05", "lr = 0.3")
    return text.split("[[evaluate]]")[0] + "[modality]\nsize = 16\n" + more


@pytest.fixture(scope="module")
def trained(registry, tmp_path_factory):
    from conftest import SMALL

    folder = tmp_path_factory.mktemp("lora")
    (folder / "recipe.toml").write_text(recipe_of(SMALL), encoding="utf-8")
    recipe = coview.load_recipe(folder / "recipe.toml", registry=registry)
    return coview.run(recipe, folder / "runs", registry=registry, quiet=True)


def pictures():
    return torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def pooled(encoder):
    with torch.no_grad():
        return encoder.eval()(pictures()).pooled_ND


def test_only_the_matrices_are_trained(trained):
    before = build_topology(trained.recipe, trained.registry).student
    assert torch.equal(
        pooled(before.encoder("image")), pooled(build_towers(trained.recipe, trained.registry).encoder("image"))
    )
    after = trained.topology.student.encoder("image").state_dict()
    changed = {
        name for name, tensor in before.encoder("image").state_dict().items() if not torch.equal(tensor, after[name])
    }
    layers = [f"model.blocks.{block}.{layer}" for block in range(6) for layer in ("attn.qkv", "mlp.fc1")]
    assert changed == {f"{layer}.lora_{part}.default.weight" for layer in layers for part in "AB"}
    assert after["model.blocks.0.attn.qkv.lora_A.default.weight"].shape == (4, 64)
    assert "requires_grad=True" not in str(
        [p for n, p in before.encoder("image").named_parameters() if "lora" not in n]
    )


def test_an_encoder_without_them_says_the_same(trained):
    encoder = trained.encoder
    merged = without_lora(encoder)
    assert not [name for name, _ in merged.named_parameters() if "lora" in name or "base_layer" in name]
    torch.testing.assert_close(pooled(merged), pooled(encoder), atol=1e-5, rtol=1e-5)
    assert [name for name, _ in encoder.named_parameters() if "lora" in name], "it is a copy that has none"
    assert without_lora(merged) is merged


def test_by_the_formula_of_the_paper(trained):
    """W + alpha / r · B·A, by hand."""
    tensors = trained.encoder.state_dict()
    found = weights_without_lora(tensors, trained.recipe.encoder["image"].settings.lora)
    layer = "model.blocks.3.mlp.fc1"
    w, a, b = (
        tensors[f"{layer}.{name}.weight"].numpy().astype(np.float64)
        for name in ("base_layer", "lora_A.default", "lora_B.default")
    )
    expected = w + 12 / 4 * np.einsum("or,ri->oi", b, a)
    np.testing.assert_allclose(found[f"{layer}.weight"].numpy(), expected, rtol=1e-6, atol=1e-7)
    assert abs(expected - w).max() > 1e-3
    merged = without_lora(trained.encoder).state_dict()
    assert found.keys() == merged.keys()
    for name, tensor in merged.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=1e-5)


def test_an_exported_folder_has_none(trained, call):
    done = call("export", trained.path, "--to", "hf", "--out", "folder")
    assert done.status == 0, done.err
    model = timm.create_model("local-dir:folder", pretrained=True, num_classes=0).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(pictures()), pooled(trained.encoder), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lora", ["", LORA], ids=["whole", "lora again"])
@pytest.mark.parametrize("of", ["run", "export"])
def test_another_run_starts_from_it(trained, write_recipe, small_recipe, call, of, lora):
    path = trained.path
    if of == "export":
        assert call("export", path, "--to", "hf", "--out", "folder").status == 0
        path = "folder"
    text = recipe_of(small_recipe, lora, f'\n[start]\n{of} = "{path}"\n')
    recipe = coview.load_recipe(write_recipe(text), registry=trained.registry)
    from coview.experiment.start import start_weights

    topology = build_topology(recipe, trained.registry, start=start_weights(recipe, trained.registry))
    torch.testing.assert_close(pooled(topology.student.encoder("image")), pooled(trained.encoder), atol=1e-5, rtol=1e-5)


def test_a_checkpoint_alone_does_not_say_how_strongly(trained, write_recipe, small_recipe):
    text = recipe_of(small_recipe, "", f'\n[start]\ncheckpoint = "{trained.path / "checkpoints" / "step-6"}"\n')
    recipe = coview.load_recipe(write_recipe(text), registry=trained.registry)
    from coview.experiment.start import start_weights

    with pytest.raises(coview.CoviewError, match="was trained with LoRA, and does not say how strongly") as caught:
        start_weights(recipe, trained.registry)
    assert "start.checkpoint" in caught.value.message


def test_a_resume_ends_with_the_same_weights(trained, tmp_path):
    path = tmp_path / "small" / trained.path.name
    shutil.copytree(trained.path, path, symlinks=True)
    shutil.rmtree(path / "checkpoints" / "step-6")
    (path / "checkpoints" / "last").unlink()
    import json

    environment = json.loads((path / "environment.json").read_text())
    del environment["ended"], environment["finished"]
    (path / "environment.json").write_text(json.dumps(environment))
    again = coview.run(trained.recipe, tmp_path, resume=True, registry=trained.registry, quiet=True)
    assert again.path == path
    expected, found = (tensors_of(run.path / "checkpoints" / "step-6") for run in (trained, again))
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_the_matrices_have_rates_of_their_own(write_recipe, small_recipe, registry):
    from coview.model.parameter_groups import parameter_groups

    group = '\n[[optimizer.group]]\nmatch = "encoder.*.lora_B.*"\nlr_scale = 16.0\n'  # LoRA+
    recipe = coview.load_recipe(write_recipe(recipe_of(small_recipe, LORA, group)), registry=registry)
    topology = build_topology(recipe, registry)
    groups = parameter_groups(recipe, registry, topology.student, topology.loss)
    (faster,) = (group for group in groups if group.settings.lr_scale == 16)
    assert len(faster.parameters) == 12
    frozen = {name for group in groups if group.settings.is_frozen_for_good for name in group.parameters}
    assert frozen == {
        f"encoder.{name}" for name, _ in topology.student.encoder("image").named_parameters() if ".lora_" not in name
    }


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ('"*.query"', 'encoder.lora.match: no linear layer is called "*.query"'),
        (
            '["*.qkv", "*.fc3"]',
            'encoder.lora.match: no linear layer is called "*.fc3", did you mean "*.fc2" or "*.fc1"?',
        ),
    ],
)
def test_names_that_match_nothing_are_a_mistake_with_a_line(write_recipe, small_recipe, registry, match, said):
    text = recipe_of(small_recipe, f"\n[encoder.lora]\nmatch = {match}\n")
    path = write_recipe(text)
    recipe = coview.load_recipe(path, registry=registry)
    line = text.splitlines().index(f"match = {match}") + 1
    with pytest.raises(coview.CoviewError) as caught:
        try_out(recipe, registry)
    assert f"{path}:{line}: " in caught.value.message
    assert said in caught.value.message
    assert "*.qkv, *.proj, *.fc1" in caught.value.hint


def test_a_dry_run_builds_it(write_recipe, small_recipe, registry):
    try_out(coview.load_recipe(write_recipe(recipe_of(small_recipe)), registry=registry), registry)


def test_without_peft_it_says_what_to_install(write_recipe, small_recipe, registry, monkeypatch):
    recipe = coview.load_recipe(write_recipe(recipe_of(small_recipe)), registry=registry)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(coview.CoviewError, match=r"encoder\.lora: needs peft, which is not installed") as caught:
        build_topology(recipe, registry)
    assert caught.value.hint == "pip install 'coview[lora]'"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("rank = 0", "encoder.lora.rank: has to be greater than or equal to 1, got 0"),
        ("ranks = 4", 'encoder.lora.ranks: unknown key, did you mean "rank"?'),
        ("match = []", "encoder.lora.match: "),
        ("match = 3", "encoder.lora.match: has to be"),
    ],
)
def test_its_table_is_checked(write_recipe, small_recipe, registry, table, said):
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(write_recipe(recipe_of(small_recipe, f"\n[encoder.lora]\n{table}\n")), registry=registry)
    assert said in str(caught.value)


class Attends(nn.Module):
    """PyTorch's attention, whose last layer is never called."""

    width = 8

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)
        self.last, self.kept = nn.Linear(8, 8), nn.Linear(8, 8).requires_grad_(False)


def test_what_is_not_called_or_was_frozen_before_has_none(trained):
    from coview.model.lora import _matched

    assert _matched(Attends(), LoraTable(), "encoder", "here") == ["last"]
