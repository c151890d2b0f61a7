"""What is predicted for hidden tokens, as it is shown: against values that are found by hand, and in whole runs."""

from __future__ import annotations

import base64
import io
import json
import re

import masked_recipes
import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import coview
from coview.data.building import build_modalities
from coview.experiment.masked_views.drawing import HIDDEN
from coview.experiment.masked_views.making import MaskedViews
from coview.experiment.masked_views.predicting import evaluating, predict
from coview.experiment.masked_views.showing import Shower
from coview.experiment.report import write_report
from coview.experiment.splits import Splits
from coview.model.masking import build_masking
from coview.model.topology import build_topology

TRANSFORMER = {"use": "transformer", "layers": 1, "hidden": 8, "heads": 1}
MAE = masked_recipes.PICTURES | {"mask": {"use": "random", "ratio": 0.75, "hide": "drop"}, "decoder": TRANSFORMER}
TEACHER = {"target": {"use": "teacher_tokens"}, "teacher": {"momentum": 0.99}}


class Says(nn.Module):
    """A decoder that says what it was told, row by row."""

    width = None

    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, seen):
        assert len(self.said) == int(seen.wanted_MT.sum())
        return self.said


def made(registry, folder, tables, count=3):
    """The topology of a recipe, some masked views of its training split, and what shows them."""
    recipe = masked_recipes.load(folder, registry, tables)
    splits = Splits(recipe, registry)
    dataset = splits(splits.own, "train")
    topology = build_topology(recipe, registry, dataset).eval()
    (modality,) = recipe.modalities
    student = topology.student
    views = MaskedViews(recipe, registry, dataset, student, build_masking(recipe, registry, student))
    shows = Shower(student.encoder(modality), build_modalities(recipe, registry)[modality])
    return topology, modality, [of_sample[0] for of_sample in views(range(count))], shows, dataset


def pixels(html):
    """Of an ``<img>`` that carries its picture."""
    (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def patches(values):
    """By a loop: where each patch of 2 × 2 pixels lies in a picture of 8 × 8, the class token apart."""
    picture = torch.zeros(8, 8)
    for token in range(16):
        row, column = divmod(token, 4)
        for place in range(4):
            picture[2 * row + place // 2, 2 * column + place % 2] = values[token + 1, place]
    return picture


def grey(picture):
    """As the modality of these recipes normalises it."""
    return ((picture * 0.4 + 0.3).clamp(0, 1) * 255).round().to(torch.uint8).numpy()[..., None].repeat(3, -1)


def hidden_pixels(mask):
    """``(8, 8)``, by a loop."""
    found = np.zeros((8, 8), dtype=bool)
    for token in mask.hidden_NT[0].nonzero()[:, 0].tolist():
        row, column = divmod(token - 1, 4)
        found[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = True
    return found


# ---- pictures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalise", ["none", "token"])
def test_a_perfect_prediction_is_the_picture_itself(registry, tmp_path, normalise):
    tables = MAE | {"target": {"use": "input", "normalise": normalise}}
    topology, modality, views, shows, _ = made(registry, tmp_path, tables)
    tower = topology.student.towers[modality]
    for view in views:
        values = tower.encoder.token_values(view.batch)
        tokens = view.mask.wanted_NBT[0, 0].nonzero()[:, 0]
        wanted = values[0, tokens]
        if normalise == "token":
            wanted = torch.stack([(v - v.mean()) / (((v - v.mean()) ** 2).sum() / 3 + 1e-6).sqrt() for v in wanted])
        tower.decoder = Says(wanted)
        prediction = predict(topology, modality, view)
        torch.testing.assert_close(prediction.values_TP, values[0], atol=1e-6, rtol=1e-6)
        assert prediction.said.startswith("mean squared error ")
        assert float(prediction.said.split()[3].rstrip(",")) == pytest.approx(0, abs=1e-9)
        shown = shows(view, "one", prediction)
        whole, _, predicted = (pixels(panel.as_html()) for panel in shown.panels)
        assert np.array_equal(whole, predicted)
        assert np.array_equal(whole, grey(patches(values[0])))


def test_pixels_are_hidden_and_predicted_where_the_mask_says(registry, tmp_path):
    topology, modality, views, shows, dataset = made(registry, tmp_path, MAE)
    tower = topology.student.towers[modality]
    for view in views:
        values = tower.encoder.token_values(view.batch)[0]
        tokens = view.mask.wanted_NBT[0, 0].nonzero()[:, 0]
        said = torch.rand(len(tokens), 4) * 2 - 1
        tower.decoder = Says(said)
        shown = shows(view, "one", predict(topology, modality, view))
        assert [panel.title for panel in shown.panels] == [
            "the view", "what the encoder sees", "predicted, beside what was seen",
        ]  # fmt: skip
        whole, seen, predicted = (pixels(panel.as_html()) for panel in shown.panels)
        sample = dataset[view.row]["image"].astype(float)[..., 0]
        assert np.abs(whole[..., 0] - sample).max() <= 1
        at = hidden_pixels(view.mask)
        assert at.mean() == 0.75
        assert shown.said[0] == "12 of 16 tokens are hidden (75%)"
        assert (seen[at] == HIDDEN).all()
        assert np.array_equal(seen[~at], whole[~at])
        assert np.array_equal(predicted, grey(patches(values.index_copy(0, tokens, said))))
        error = float((said - values[tokens]).square().mean())
        assert float(shown.said[1].split()[3].rstrip(",")) == pytest.approx(error, rel=0.01)


def test_groups_have_colours_and_what_nobody_asks_for_stays_hidden(registry, tmp_path):
    tables = MAE | {
        "mask": {
            "use": "multi_block",
            "hide": "drop",
            "targets": 2,
            "target_scale": [0.4, 0.5],
            "context_scale": [0.3, 0.4],
        }
    }
    topology, modality, views, shows, _ = made(registry, tmp_path, tables, 6)
    tower = topology.student.towers[modality]
    values = tower.encoder.token_values(views[0].batch)[0]
    several = 0
    for view in views:
        values = tower.encoder.token_values(view.batch)[0]
        wanted = view.mask.wanted_NBT[0]
        # the two groups say two things of a token that is in both: it is shown as their mean
        said = [torch.full((int(group.sum()), 4), float(number)) for number, group in enumerate(wanted)]
        tower.decoder = Says(torch.cat(said))
        prediction = predict(topology, modality, view)
        _, seen, predicted = (pixels(panel.as_html()) for panel in shows(view, "one", prediction).panels)
        for token in range(1, 17):
            row, column = divmod(token - 1, 4)
            groups = [number for number in range(2) if wanted[number, token]]
            several += len(groups) > 1
            pixel, guess = seen[2 * row, 2 * column], predicted[2 * row, 2 * column]
            if groups:
                assert prediction.values_TP[token].tolist() == pytest.approx([sum(groups) / len(groups)] * 4)
                colours = np.mean([((230, 159, 0), (86, 180, 233))[number] for number in groups], axis=0)
                assert np.abs(pixel - (0.4 * np.array(HIDDEN) + 0.6 * colours)).max() <= 1
            elif view.mask.hidden_NT[0, token]:
                assert tuple(pixel) == tuple(guess) == HIDDEN
            else:
                assert torch.equal(prediction.values_TP[token], values[token])
                assert np.array_equal(pixel, guess)
    assert several


def test_what_is_no_input_is_a_map_of_how_alike_it_is(registry, tmp_path):
    tables = MAE | TEACHER | {"loss": {"use": "token_smooth_l1"}}
    topology, modality, views, shows, _ = made(registry, tmp_path, tables)
    tower, view = topology.student.towers[modality], views[0]
    with torch.no_grad():
        teacher = topology.teacher.towers.towers[modality].encoder
        layer = teacher.encode_tokens(view.batch, None, layers=1).layers_LNTD[-1][0]
    tokens = view.mask.wanted_NBT[0, 0].nonzero()[:, 0].tolist()
    wanted = [(layer[t] - layer[t].mean()) / (layer[t].var(unbiased=False) + 1e-5).sqrt() for t in tokens]
    said = torch.randn(len(tokens), 16, generator=torch.Generator().manual_seed(0))
    tower.decoder = Says(said)
    prediction = predict(topology, modality, view)
    alike = [float(p @ w / p.norm() / w.norm()) for p, w in zip(said, wanted, strict=True)]
    others = [float(p @ w / p.norm() / w.norm()) for i, p in enumerate(said) for j, w in enumerate(wanted) if i != j]
    assert prediction.values_TP is prediction.guesses is None
    assert list(prediction.scores) == tokens
    assert list(prediction.scores.values()) == pytest.approx([max(0, one) for one in alike], abs=1e-5)
    assert f"{np.mean(alike):.3f}" in prediction.said
    assert f"{np.mean(others):.3f}" in prediction.said
    heat = pixels(shows(view, "one", prediction).panels[2].as_html()).astype(float)
    bright = {}
    for token in tokens:
        row, column = divmod(token - 1, 4)
        bright[token] = heat[2 * row, 2 * column].sum()
    assert sorted(bright, key=bright.get)[-1] == max(prediction.scores, key=prediction.scores.get)


# ---- texts ---------------------------------------------------------------------------------------------------------


def test_words_are_marked_and_predicted_ones_stand_beside_the_right_ones(registry, tmp_path):
    topology, modality, views, shows, dataset = made(registry, tmp_path, masked_recipes.texts(tmp_path), 8)
    tower = topology.student.towers[modality]
    tokenizer = tower.encoder.tokenizer()
    kinds = set()
    for view in views:
        ids, mask = view.batch["input_ids"][0].tolist(), view.mask
        tokens = mask.wanted_NBT[0, 0].nonzero()[:, 0].tolist()
        logits = torch.randn(len(tokens), 300, generator=torch.Generator().manual_seed(view.row))
        tower.decoder = Says(logits)
        prediction = predict(topology, modality, view)
        likely = logits.double().exp() / logits.double().exp().sum(1, keepdim=True)
        for token, row in zip(tokens, likely, strict=True):
            guess = prediction.guesses[token]
            best = sorted(range(300), key=lambda number, row=row: -row[number])[:3]
            assert [number for number, _ in guess.tokens] == best
            assert [p for _, p in guess.tokens] == pytest.approx([float(row[n]) for n in best], rel=1e-4)
            assert guess.right == pytest.approx(float(row[ids[token]]), rel=1e-4)
        seen, table = shows(view, "one", prediction).panels
        marked = {"hidden": [], "kept": [], "swapped": []}
        for token in range(len(ids)):
            if mask.hidden_NT[0, token]:
                swapped = float(mask.swap_NT[0, token]) >= 0
                kind = "swapped" if swapped else "hidden" if mask.replaced_NT[0, token] else "kept"
                marked[kind].append(tokenizer.decode([ids[token]]).strip() or "␣")
        for kind, words in marked.items():
            assert re.findall(rf'title="{kind}">([^<]*)<', seen.as_html()) == words
            kinds |= {kind} if words else set()
        instead = [int(float(s) * 300) for s in mask.swap_NT[0] if s >= 0]
        assert re.findall(r'title="seen in its place">([^<]*)<', seen.as_html()) == [
            tokenizer.decode([number]).strip().replace("&", "&amp;").replace("<", "&lt;") for number in instead
        ]  # fmt: skip
        plain = re.sub(r"<ins.*?</ins>|<[^>]*>|␣", "", seen.as_html())
        assert plain == "[CLS] " + " ".join(dataset[view.row]["text"].lower().split()) + " [SEP]"
        assert table.as_html().count("<tr>") == 1 + min(12, len(tokens))
    assert kinds == {"hidden", "kept", "swapped"}


# ---- sounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalise", ["none", "token"])
def test_a_perfect_prediction_is_the_spectrogram_itself(registry, tmp_path, normalise):
    tables = masked_recipes.sounds(tmp_path) | {"target": {"use": "input", "normalise": normalise}}
    topology, modality, views, shows, _ = made(registry, tmp_path, tables)
    tower = topology.student.towers[modality]
    for view in views:
        values = tower.encoder.token_values(view.batch)
        wanted = values[0, view.mask.wanted_NBT[0, 0]]
        if normalise == "token":
            wanted = (wanted - wanted.mean(1, keepdim=True)) / (wanted.var(1, keepdim=True) + 1e-6).sqrt()
        tower.decoder = Says(wanted)
        whole, seen, predicted = (
            pixels(panel.as_html()) for panel in shows(view, "", predict(topology, modality, view)).panels
        )
        assert np.abs(whole.astype(int) - predicted).max() <= 1
        rows, columns = view.mask.layout.shape
        assert whole.shape == (8 * rows, 4 * columns, 3)
        for token in range(rows * columns):
            band, column = divmod(token, columns)
            top = 8 * (rows - 1 - band)  # low tones below
            is_hidden = (seen[top : top + 8, 4 * column : 4 * column + 4] == HIDDEN).all()
            assert is_hidden == bool(view.mask.hidden_NT[0, token + 1])


def test_codes_are_a_map_of_how_likely_the_right_one_is(registry, tmp_path):
    tables = masked_recipes.sounds(tmp_path) | {
        "target": {"use": "random_codebook", "codes": 8}, "loss": {"use": "token_cross_entropy"},
    }  # fmt: skip
    topology, modality, views, shows, _ = made(registry, tmp_path, tables)
    tower, view = topology.student.towers[modality], views[0]
    given = coview.TargetInput(view.mask.layout.real_NT, tower.encoder.token_values(view.batch))
    right = topology.target(given)[0, view.mask.wanted_NBT[0, 0]]
    logits = torch.randn(len(right), 8, generator=torch.Generator().manual_seed(0))
    tower.decoder = Says(logits)
    prediction = predict(topology, modality, view)
    expected = [float(torch.softmax(row, 0)[code]) for row, code in zip(logits, right, strict=True)]
    assert list(prediction.scores.values()) == pytest.approx(expected, rel=1e-5)
    assert "by chance 0.12" in prediction.said
    assert shows(view, "", prediction).panels[2].title.startswith("probability of the right class")


# ---- encoders of strangers -----------------------------------------------------------------------------------------


class Silent:
    """What an encoder has to have to take masks, and nothing that shows its tokens."""

    hides, token_width, mask_width, value_width, classes = ("replace",), 16, 16, 4, 0

    def __init__(self, encoder):
        self._encoder = encoder

    def token_layout(self, batch):
        return self._encoder.token_layout(batch)

    def token_values(self, batch):
        return self._encoder.token_values(batch)

    def encode_tokens(self, batch, mask, *, mask_token_D=None, layers=0):
        raise AssertionError("it is only shown")


def test_an_encoder_that_shows_nothing_has_its_numbers(registry, tmp_path):
    _, _, views, shows, _ = made(registry, tmp_path, MAE)
    shown = Shower(Silent(shows.encoder), shows.modality)(views[0], "one")
    assert shown.panels == []
    assert shown.said == ["12 of 16 tokens are hidden (75%)", "Silent has no way to show its tokens"]


def test_a_model_is_left_in_the_modes_that_it_was_in():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model.train()
    model[1].eval()
    with evaluating(model):
        assert not model.training
        assert not model[0].training
    assert [module.training for module in model.modules()] == [True, True, False, False]


# ---- whole runs ----------------------------------------------------------------------------------------------------


def run(registry, folder, tables, capsys=None):
    recipe = masked_recipes.load(folder, registry, tables | {"evaluate": []})
    return coview.run(recipe, folder / "runs", registry=registry, quiet=capsys is None)


def tags(found):
    events = EventAccumulator(str(found.folder.tensorboard), size_guidance={"images": 0})
    events.Reload()
    return events


def test_a_run_shows_what_was_predicted_in_its_report_and_in_tensorboard(registry, tmp_path):
    found = run(registry, tmp_path, MAE | {"target": {"use": "input", "normalise": "token"}})
    content = json.loads(found.folder.hidden.read_text())
    assert content["about"] == [
        "Of the test split, which is held out; by the model after step 2.",
        'Predicted by the decoder "transformer"; the target is "input".',
        "Each prediction is shown with the mean and the variance of what was there: these are not predicted.",
    ]
    assert len(content["views"]) == 6
    page = found.folder.report.read_text()
    assert "What is hidden, and what is predicted for it" in page
    for view in content["views"]:
        assert [len(panel["html"]) > 100 for panel in view["panels"]] == [True] * 3
        for panel in view["panels"]:
            assert re.search(r'base64,([^"]*)"', panel["html"])[1] in page
    events = tags(found)
    assert [image.step for image in events.Images("hidden")] == [0]
    (image,) = events.Images("hidden and predicted")
    assert image.step == 2
    assert np.asarray(Image.open(io.BytesIO(image.encoded_image_string))).shape == (6 * 162 + 2, 3 * 162 + 2, 3)
    assert {"hidden/text_summary", "hidden and predicted/text_summary"} <= set(events.Tags()["tensors"])


def test_showing_changes_nothing_of_what_is_trained(registry, tmp_path, monkeypatch):
    shown = run(registry, tmp_path, MAE)
    hidden = shown.folder.hidden.exists()
    monkeypatch.setattr("coview.experiment.session.Session._show_masked", lambda *_: None)
    monkeypatch.setattr("coview.experiment.session.Session._show_predicted", lambda *_: None)
    silent = run(registry, tmp_path, MAE)
    assert (hidden, silent.folder.hidden.exists()) == (True, False)
    for one, other in zip(shown.topology.state_dict().items(), silent.topology.state_dict().items(), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])


def test_a_mask_without_anything_to_predict_is_shown_alone(registry, tmp_path):
    tables = MAE | {"data": {"use": "digits", "views": 2, "workers": 0}, "loss": {"use": "nt_xent"}}
    tables = {key: value for key, value in tables.items() if key != "decoder"}
    found = run(registry, tmp_path, tables)
    content = json.loads(found.folder.hidden.read_text())
    assert len(content["about"]) == 1
    assert [panel["title"] for panel in content["views"][0]["panels"]] == ["the view", "what the encoder sees"]


def test_what_cannot_be_shown_ends_no_run(registry, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise RuntimeError("no picture today")

    monkeypatch.setattr("coview_image.encoders.vit.ViT.draw_tokens", refuse)
    found = run(registry, tmp_path, MAE, capsys)
    said = capsys.readouterr().err
    assert "warning: a preview of the mask cannot be written (RuntimeError: no picture today)" in said
    assert "warning: hidden.json cannot be written (RuntimeError: no picture today)" in said
    assert found.folder.report.exists()
    assert not found.folder.hidden.exists()
    assert "What is hidden" not in found.folder.report.read_text()


def test_a_report_does_without_a_file_that_is_damaged_and_takes_no_markup_that_leads_elsewhere(registry, tmp_path):
    found = run(registry, tmp_path, MAE)
    content = json.loads(found.folder.hidden.read_text())
    evil = {"title": "<b>", "html": "<a href='//evil'>word</a><script>evil</script>"}
    content["views"][0] |= {"caption": "<script>1", "panels": [evil]}
    found.folder.hidden.write_text(json.dumps(content))
    page = write_report(found.folder).read_text()
    assert "evil" not in page
    assert "<script" not in page
    assert "word" in page
    for damaged in ('{"views": [3]}', "[]", "{", '{"views": [{"caption": "a", "said": [], "panels": [{}]}]}'):
        found.folder.hidden.write_text(damaged)
        page = write_report(found.folder).read_text()
        assert "hidden.json cannot be read" in page
        assert "What is hidden" not in page


# ---- before any run ------------------------------------------------------------------------------------------------


def test_a_preview_shows_the_mask_of_a_recipe_that_augments_nothing(call, registry, tmp_path):
    masked_recipes.load(tmp_path, registry, MAE | {"mask": MAE["mask"] | {"probability": 0.5}})
    done = call("augment", "preview", tmp_path / "masked.toml", "--samples", 4, "--views", 3)
    assert done.status == 0, done.err
    page = (tmp_path / done.out.strip()).read_text()
    assert page.count("epoch 3, view 1") == 4
    assert page.count("12 of 16 tokens are hidden (75%)") + page.count("nothing of 16 tokens is hidden") == 12
    assert page.count("nothing of 16") > 0
    assert page.count("<img") == 2 * 12


def test_a_preview_shows_masks_and_augmentations(call, registry, tmp_path):
    tables = MAE | {"augment": [{"use": "random_flip"}], "data": {"use": "digits", "views": 1, "local_views": 1}}
    masked_recipes.load(tmp_path, registry, tables)
    done = call("augment", "preview", tmp_path / "masked.toml", "--samples", 3, "--views", 2)
    assert done.status == 0, done.err
    page = (tmp_path / done.out.strip()).read_text()
    assert "random_flip" in page
    assert page.count("epoch 1, view 2") == page.count("this view is not masked") == 3
