"""Which parameter is trained how, from the groups of a recipe."""

import pytest
from torch import nn

import coview
from coview.experiment.trial import try_out
from coview.model.layers import stacked_layers
from coview.model.loss_terms import build_loss
from coview.model.parameter_groups import named_parameters, parameter_groups
from coview.model.tower import build_towers


@pytest.fixture
def grouped(registry, write_recipe, small_recipe):
    """By parameter its settings, for some lines of ``[optimizer]``."""

    def of(lines, *, optimizer='use = "sgd"', more=""):
        text = small_recipe.replace('use = "sgd"', optimizer).replace("lr = 0.05\n", f"lr = 0.05\n{lines}\n") + more
        recipe = coview.load_recipe(write_recipe(text), registry=registry)
        student = build_towers(recipe, registry)
        loss = build_loss(recipe, registry, student.width)
        groups = parameter_groups(recipe, registry, student, loss)
        assert {id(p) for g in groups for p in g.parameters.values()} == {
            id(p) for module in (student, loss) for p in module.parameters()
        }
        return {name: group.settings for group in groups for name in group.parameters}

    return of


def test_without_groups_vectors_have_no_decay(grouped):
    found = grouped("")
    assert found["encoder.network.conv1.weight"].options == {}
    assert found["encoder.network.bn1.weight"].options == {"weight_decay": 0.0}
    assert {settings.lr_scale for settings in found.values()} == {1.0}


def test_of_lars_they_are_not_adapted_either(grouped):
    found = grouped("", optimizer='use = "lars"')
    assert found["encoder.network.bn1.bias"].options == {"weight_decay": 0.0, "adapt": False}


def test_barlow_twins_rates_and_a_predictor_of_its_own(grouped):
    """Of each key the last group that matches and gives it counts; what it does not give stays."""
    found = grouped(
        '[[optimizer.group]]\nmatch = "bias_and_norm"\nlr_scale = 0.024\n'
        '[[optimizer.group]]\nmatch = "predictor.*"\nschedule = "constant"\nweight_decay = 0.5\n',
        more="\n[predictor]\nhidden = 4\n",
    )
    bias, matrix = found["encoder.network.bn1.bias"], found["encoder.network.conv1.weight"]
    assert (bias.lr_scale, bias.options, bias.schedule) == (0.024, {"weight_decay": 0.0}, None)
    assert (matrix.lr_scale, matrix.options, matrix.schedule) == (1.0, {}, None)
    names = [name for name in found if name.startswith("predictor.")]
    for name in names:
        assert found[name].schedule.use == "constant"
        assert found[name].options == {"weight_decay": 0.5}
    assert {found[name].lr_scale for name in names} == {1.0, 0.024}


def test_everything_decays_where_a_recipe_says_so(grouped):
    found = grouped('[[optimizer.group]]\nmatch = "*"\nweight_decay = 1e-4')
    assert {tuple(settings.options.items()) for settings in found.values()} == {(("weight_decay", 1e-4),)}


def test_layer_decay_is_timms(grouped, registry):
    """The rates that timm's own optimiser of the same network has."""
    import timm
    from timm.optim import param_groups_layer_decay

    found = grouped('[[optimizer.group]]\nmatch = "encoder.*"\nlayer_decay = 0.75')
    encoder = registry.build("encoder", "resnet18", modality="image", stem="small", width=8)
    assert isinstance(encoder.network, timm.models.ResNet)
    names = {id(parameter): name for name, parameter in encoder.network.named_parameters()}
    theirs = {
        names[id(parameter)]: group["lr_scale"]
        for group in param_groups_layer_decay(encoder.network, weight_decay=0.1, layer_decay=0.75)
        for parameter in group["params"]
    }
    assert len(set(theirs.values())) == 9
    for name, scale in theirs.items():
        assert found[f"encoder.network.{name}"].lr_scale == pytest.approx(scale), name
    assert {settings.lr_scale for name, settings in found.items() if name.startswith("projector.")} == {1.0}


def test_an_encoder_that_does_not_know_its_layers(registry, write_recipe, small_recipe):
    added = coview.Registrar("test")
    added.encoder("bare", f"{__name__}:Bare", modality="image", summary="one linear map")
    text = small_recipe.replace("lr = 0.05\n", 'lr = 0.05\n[[optimizer.group]]\nmatch = "*"\nlayer_decay = 0.75\n')
    text = text.replace('use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "bare"')
    recipe = coview.load_recipe(write_recipe(text), registry=registry.plus(added))
    with pytest.raises(coview.CoviewError) as caught:
        try_out(recipe, registry.plus(added))
    assert "optimizer.group.0.layer_decay: the encoder Bare does not say which layer" in caught.value.message


class Bare(nn.Module):
    width = 8

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(64, 8)

    def forward(self, x_NCHW):
        return coview.Encoding(self.map(x_NCHW.flatten(1)))


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("encoder.netwrk.*", r'"encoder.netwrk.\*", did you mean "encoder.network.\*"'),
        ("encodr.*", r'recipe.toml:\d+: optimizer.group.0.match: no parameter is called "encodr.\*"'),
        ("predictor.*", "no parameter is called"),
    ],
)
def test_a_glob_that_matches_nothing_is_a_mistake(registry, write_recipe, small_recipe, tmp_path, match, says):
    text = small_recipe.replace("lr = 0.05\n", f'lr = 0.05\n[[optimizer.group]]\nmatch = "{match}"\nlr_scale = 2.0\n')
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    for call in (
        lambda: try_out(recipe, registry),
        lambda: coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True),
    ):
        with pytest.raises(coview.CoviewError, match=says) as caught:
            call()
        assert caught.value.hint == "they are encoder.network.*, projector.*"
    assert not (tmp_path / "runs").exists()


def test_names_begin_as_the_tables_of_a_recipe_do(registry, write_recipe, small_recipe):
    text = small_recipe.replace(
        '[loss]\nuse = "nt_xent"\n', '[[loss]]\nuse = "nt_xent"\n[[loss]]\nuse = "swav"\nprototypes = 5\n'
    )
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    student = build_towers(recipe, registry)
    names = named_parameters(student, build_loss(recipe, registry, student.width))
    assert {name.split(".")[0] for name in names} == {"encoder", "projector", "loss"}
    assert [name for name in names if name.startswith("loss.")] == ["loss.1.prototypes_KD"]
    assert names["encoder.network.conv1.weight"] is student.encoder("image").network.conv1.weight


def test_stacked_layers_are_the_longest_list():
    network = nn.Module()
    network.embed = nn.Embedding(3, 4)
    network.short = nn.ModuleList([nn.Linear(4, 4)])
    network.blocks = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)) for _ in range(3)])
    network.norm = nn.LayerNorm(4)
    found = stacked_layers(network)
    assert set(found) == dict(network.named_parameters()).keys()
    assert found["embed.weight"] == found["short.0.bias"] == 0
    assert (found["blocks.0.0.weight"], found["blocks.2.1.bias"], found["norm.weight"]) == (1, 3, 4)


def test_a_network_without_a_list_has_no_layers():
    with pytest.raises(ValueError, match=r"Linear has no nn\.ModuleList"):
        stacked_layers(nn.Linear(2, 2))
