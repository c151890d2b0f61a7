"""Searching a run's data: by a text, a picture, a sound; what is found, the page, and what cannot be searched by."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from sklearn.metrics.pairwise import cosine_similarity

import coview
from coview.data.building import build_modalities
from coview.experiment.search import search, write_page
from three_towers import NAMES, RATE, RECIPE, TEST, TRAIN, ToldDigits
from three_towers import registry as with_digits


@pytest.fixture(scope="module")
def told():
    return with_digits()


@pytest.fixture(scope="module")
def run(told, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    (folder / "recipe.toml").write_text(RECIPE)
    recipe = coview.load_recipe(folder / "recipe.toml", registry=told)
    return coview.run(recipe, folder / "runs", registry=told, quiet=True)


def vector(run, name, value, *, projector):
    """By PyTorch alone."""
    tower = run.topology.student.towers[name].eval()
    collates = tower.encoder if name == "text" else build_modalities(run.recipe, run.registry)[name]
    with torch.no_grad():
        pooled_ND = tower.encoder(collates.collate([value])).pooled_ND
        return (tower.projector(pooled_ND) if projector else pooled_ND).double()


def expected(run, by, value, searched, split="test", *, projector=True):
    """Cosine and row of every sample, the nearest first."""
    data = ToldDigits(split)
    bank = torch.cat([vector(run, searched, data[row][searched], projector=projector) for row in range(len(data))])
    cosines = cosine_similarity(vector(run, by, value, projector=projector), bank)[0]
    return sorted(zip(cosines, range(len(data)), strict=True), reverse=True)


def check(found, wanted):
    """Rows may change places where their cosines are equal but for rounding."""
    cosines = {row: cosine for cosine, row in wanted}
    assert [hit.rank for hit in found.hits] == list(range(1, 1 + len(found.hits)))
    for hit, (cosine, _) in zip(found.hits, wanted, strict=False):
        assert hit.cosine == pytest.approx(cosine, abs=1e-5)
        assert hit.cosine == pytest.approx(cosines[hit.row], abs=1e-5)


def test_a_text_finds_the_nearest_pictures(run):
    found = coview.search(run, "a big red seven", top=5)
    assert (found.by, found.modality, found.projected, found.samples) == ("text", "image", True, TEST)
    assert len(found.hits) == 5
    check(found, expected(run, "text", "a big red seven", "image"))
    data = ToldDigits("test")
    for hit in found.hits:
        sample = data[hit.row]
        assert (hit.id, hit.label, hit.text) == (sample.id, NAMES[sample.label], sample["text"])
        assert list(hit.html) == ["image", "text", "audio"]


@pytest.mark.parametrize(("by", "searched"), [("image", "text"), ("audio", "image"), ("image", "image")])
def test_a_file_is_a_query_too(run, tmp_path, by, searched):
    sample = ToldDigits("train")[3]
    if by == "image":
        path = tmp_path / "seven.png"
        grey = (np.asarray(sample["image"]) if sample["image"].dtype == np.uint8 else sample["image"] * 255).astype(
            np.uint8
        )
        Image.fromarray(grey if grey.ndim == 2 else grey[..., :3]).save(path)
        value = np.array(Image.open(path).convert("RGB"))
    else:
        path, value = tmp_path / "tone.wav", sample["audio"]
        soundfile.write(path, value.samples_T, RATE, subtype="FLOAT")
    found = coview.search(run, str(path), split="train", modality=searched, top=200)
    assert (found.by, found.modality, found.split) == (by, searched, "train")
    assert len(found.hits) == found.samples == TRAIN
    assert found.projected == (by != searched)
    check(found, expected(run, by, value, searched, "train", projector=by != searched))
    assert coview.search(run, path, split="train", modality=searched, top=200).hits == found.hits


def test_what_was_embedded_once_is_not_embedded_again(run, monkeypatch):
    first = coview.search(run, "an old four", modality="audio")
    assert (run.path / "features" / "pretrained-step-8-projected-audio" / "test.safetensors").is_file()
    from coview.experiment import feature_store

    monkeypatch.setattr(feature_store, "embed_share", None)
    assert coview.search(run, "an old four", modality="audio") == first


def test_the_page_shows_pictures_texts_and_sounds(run, tmp_path):
    found = search(run, "<b>one</b> & two", top=3)
    page = write_page(found, tmp_path / "made" / "page.html").read_text()
    assert page.count('<li class="hit">') == 3
    assert page.count("<audio ") == 3
    assert len(re.findall(r'<div class="first"><img src="data:image/png;base64,', page)) == 3
    assert "&lt;b&gt;one&lt;/b&gt; &amp; two" in page
    assert "<b>one" not in page
    for hit in found.hits:
        assert f"<b>{hit.cosine:.3f}</b>" in page
        assert hit.text in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)


@pytest.fixture
def command(run, monkeypatch, capsys):
    from coview.cli import main
    from coview.plugins import discovery

    def command(*arguments):
        monkeypatch.setattr(discovery, "load_plugins", lambda disable=(): run.registry)
        with pytest.raises(SystemExit) as stop:
            main.main(["search", *map(str, arguments)])
        return stop.value.code, capsys.readouterr()

    return command


def test_the_command_prints_a_table_json_and_a_page(run, command, tmp_path):
    found = coview.search(run, "a red seven", top=4)
    code, said = command(run.path, "a red seven", "--top", 4, "--html", tmp_path / "page.html")
    assert code == 0
    heading, *rows, about, page = said.out.splitlines()
    assert heading.split() == ["cosine", "id", "class", "says"]
    for row, hit in zip(rows, found.hits, strict=True):
        assert row.split() == [str(hit.rank), f"{hit.cosine:.3f}", hit.id, hit.label, *hit.text.split()]
    assert about == "of 40 image samples of told_digits test, by the cosine of projections; the query is of text"
    assert page == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    code, said = command(run.path, "a red seven", "--top", 4, "--json")
    document = json.loads(said.out)
    assert [hit["row"] for hit in document["hits"]] == [hit.row for hit in found.hits]
    assert document["modality"] == "image"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["  "], "error: the query is empty"),
        (["seven.png"], "error: seven.png: there is no such file"),
        (["a seven", "--modality", "imge"], 'error: "imge" is not a modality of three, did you mean "image"?'),
        (["a seven", "--split", "validation"], 'error: "told_digits" has no split "validation"'),
        (["a seven", "--set", "loss.use=clip"], "error: --set loss.use=clip: a search can change data, modality"),
    ],
)
def test_bad_input_is_a_line(run, command, arguments, message):
    code, said = command(run.path, *arguments)
    assert code == 2
    assert said.out == ""
    assert said.err.startswith(message)
    assert len(said.err.splitlines()) <= 2


def test_a_film_a_broken_picture_and_a_run_without_weights(run, told, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"0")
    with pytest.raises(
        coview.CoviewError, match=r"no tower of the run takes the file .*film\.mp4: it has image and text"
    ):
        coview.search(run, str(tmp_path / "film.mp4"))
    (tmp_path / "broken.png").write_bytes(b"0")
    with pytest.raises(coview.CoviewError, match=r"broken\.png: cannot be read as a picture"):
        coview.search(run, str(tmp_path / "broken.png"))
    copied = tmp_path / "copied" / run.path.name
    shutil.copytree(run.path, copied)
    shutil.rmtree(copied / "checkpoints")
    with pytest.raises(coview.CoviewError, match="has no checkpoint"):
        coview.search(coview.load_run(copied, registry=told), "a seven")


def test_a_run_of_pictures_has_no_texts_to_be_searched_by(own_run, tmp_path):
    with pytest.raises(
        coview.CoviewError, match=r'the run has no tower of texts that "a seven" .*: it has image'
    ) as raised:
        coview.search(own_run, "a seven")
    assert "search by the path of a file" in raised.value.hint
    digit = own_run.registry.build("dataset", "digits", supplied={"split": "test"})[5]["image"]
    pixels = digit if digit.dtype == np.uint8 else np.rint(digit * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    found = coview.search(own_run, tmp_path / "digit.png", top=1)
    assert found.hits[0].row == 5
    assert found.hits[0].cosine == pytest.approx(1, abs=1e-4)
    assert not found.projected
