"""What a run proposes to type next can be typed, whatever its folder is called."""

import shlex
import shutil
from dataclasses import replace

import pytest

import coview
from coview.cli.run import _print_run
from coview.experiment.export import forms_of
from coview.recipe.recipe import ComponentTable


def test_a_path_with_a_space_is_quoted(own_run, tmp_path, capsys):
    elsewhere = shutil.copytree(own_run.path, tmp_path / "my runs" / own_run.path.name)
    _print_run(coview.load_run(elsewhere, registry=own_run.registry))
    commands = [shlex.split(line) for line in capsys.readouterr().out.partition("next:")[2].splitlines() if line]
    assert ["tensorboard", "--logdir", str(elsewhere / "tensorboard")] in commands
    assert ["coview", "export", str(elsewhere), "--to", "hf"] in commands


@pytest.mark.parametrize(
    ("modality", "use", "forms"),
    [
        ("image", "resnet18", ["hf", "sentence-transformers"]),
        ("image", "timm:resnet18", ["hf", "sentence-transformers"]),
        ("text", "text_transformer", ["hf", "sentence-transformers"]),
        ("text", "sentence-transformers:some/model", ["hf", "sentence-transformers"]),
        ("audio", "audio_cnn", ["hf"]),
        ("audio", "torchaudio:WAV2VEC2_BASE", []),
    ],
)
def test_an_export_is_proposed_where_the_encoder_has_one(own_run, capsys, modality, use, forms):
    recipe = replace(
        own_run.recipe,
        encoder={modality: ComponentTable(use)},
        projector={modality: own_run.recipe.projector["image"]},
    )
    assert forms_of(recipe, own_run.registry) == forms
    _print_run(replace(own_run, recipe=recipe))
    assert ("coview export" in capsys.readouterr().out) == bool(forms)
