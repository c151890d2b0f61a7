"""The recipes for sounds of the hub: valid as they are, and one batch goes through them on a local stand-in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

import coview
from coview.experiment.trial import try_out

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "audio"
HUB_IDS = {
    "cola-esc-50": ("ashraq/esc50",),
    "byol-a-speech-commands": ("google/speech_commands",),
    "byol-a-fsd50k": ("CLAPv2/FSD50K", "ashraq/esc50"),
}
WIDTHS = {"cola-esc-50": 512, "byol-a-speech-commands": 256, "byol-a-fsd50k": 256}


def table(datasets, rows, rate, seconds, **columns):
    """Noise of so many seconds, and the columns that the data set has beside it."""
    sounds = []
    for row in range(rows):
        buffer = io.BytesIO()
        length = round(rate * seconds * (0.5 + 0.5 * row / rows))
        soundfile.write(buffer, 0.1 * np.random.default_rng(row).standard_normal(length), rate, format="WAV")
        sounds.append({"bytes": buffer.getvalue(), "path": f"{row}.wav"})
    features = datasets.Features(
        {
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            **{name: feature for name, (feature, _) in columns.items()},
        }
    )
    values = {"audio": sounds, **{name: values for name, (_, values) in columns.items()}}
    # declared as sounds afterwards: the library would want a codec to write them
    return datasets.Dataset.from_dict(values, features=features).cast_column("audio", datasets.Audio())


def write(datasets, folder, hub_id):
    """A few sounds in the columns, lengths and splits of the data set."""
    text, number = datasets.Value("string"), datasets.Value("int64")
    if hub_id == "ashraq/esc50":  # one split, in five folds
        table(
            datasets, 40, 44100, 5.0,
            fold=(number, [1 + row // 2 % 5 for row in range(40)]),
            target=(number, [row % 2 for row in range(40)]),
            category=(text, [("rain", "dog")[row % 2] for row in range(40)]),
        ).save_to_disk(folder)  # fmt: skip
    elif hub_id == "google/speech_commands":  # what the hub converts of it: a folder of each version
        words = datasets.ClassLabel(names=["yes", "no", "_silence_"])
        for split in ("train", "validation", "test"):
            part = folder / "v0.02" / split
            part.mkdir(parents=True)
            table(
                datasets, 12, 16000, 1.0,
                label=(words, [row % 2 for row in range(12)]),
                is_unknown=(datasets.Value("bool"), [False] * 12),
                speaker_id=(text, [f"s{row}" for row in range(12)]),
            ).to_parquet(part / "0000.parquet")  # fmt: skip
    else:
        parts = {
            split: table(
                datasets, 12, 44100, 3.0,
                text=(datasets.List(text), [["The sounds of rain and dog"]] * 12),
                raw_text=(datasets.List(text), [["rain", "dog"]] * 12),
            )
            for split in ("train", "validation", "test")
        }  # fmt: skip
        datasets.DatasetDict(parts).save_to_disk(folder)


@pytest.mark.parametrize("name", HUB_IDS)
def test_it_is_valid(name):
    recipe = coview.load_recipe(RECIPES / f"{name}.toml")
    assert recipe.name == name
    assert not recipe.warnings


@pytest.mark.slow
@pytest.mark.parametrize("name", HUB_IDS)
def test_a_batch_of_a_stand_in_goes_through(name, registry, write_recipe, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    text = (RECIPES / f"{name}.toml").read_text()
    for place, hub_id in enumerate(HUB_IDS[name]):
        write(datasets, tmp_path / f"data-{place}", hub_id)
        assert f'"audio/hub:{hub_id}"' in text
        text = text.replace(f'"audio/hub:{hub_id}"', f'"audio/hub:{tmp_path / f"data-{place}"}"')
    text = text.replace('extends = "', f'extends = "{RECIPES}/')
    recipe = coview.load_recipe(write_recipe(text), overrides={"train.batch_size": 8})
    assert f"projections 2 × 4 × {WIDTHS[name]}" in try_out(recipe, registry)


@pytest.mark.slow
def test_no_fold_of_esc_50_is_on_both_sides(registry, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "cache"))
    write(datasets, tmp_path / "data", "ashraq/esc50")
    recipe = coview.load_recipe(RECIPES / "cola-esc-50.toml", registry=registry)
    parts = [
        registry.build("dataset", f"audio/hub:{tmp_path / 'data'}", supplied={"split": split}, **recipe.data.parameters)
        for split in ("train", "test")
    ]
    assert [part.classes for part in parts] == [("dog", "rain")] * 2
    folds = [{part[index].group for index in range(len(part))} for part in parts]
    assert (len(folds[0]), len(folds[1])) == (4, 1)
    assert folds[0] | folds[1] == set("12345")
