"""Each tower of a run of several: measured with its controls, embedded, before the projector and after it."""

from __future__ import annotations

import json
from functools import cache, partial
from itertools import permutations

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

import coview
from coview.data.building import build_modalities, build_split
from coview.model.topology import build_topology
from three_towers import NAMES, RECIPE, TEST, ToldDigits
from three_towers import registry as with_digits

EVALUATE = """
[[evaluate]]
use = "retrieval"
k = [1]

[[evaluate]]
use = "retrieval"
k = [1]
modality = "text"

[[evaluate]]
use = "retrieval"
k = [1]
modality = "text"
projector = true

[[evaluate]]
use = "knn"
modality = "text"
every = 2

[[evaluate]]
use = "retrieval"
between = ["image", "text", "audio"]
k = [1, 5]
every = 4

[[evaluate]]
use = "zero_shot"
of = "audio"
by = "text"
prompts = ["{}", "a {}", "a big red {}"]
"""


@pytest.fixture(scope="module")
def registry():
    return with_digits()


@pytest.fixture(scope="module")
def run(registry, tmp_path_factory):
    folder = tmp_path_factory.mktemp("each_tower")
    (folder / "recipe.toml").write_text(RECIPE + EVALUATE)
    recipe = coview.load_recipe(folder / "recipe.toml", registry=registry)
    return coview.run(recipe, folder / "runs", registry=registry, quiet=True)


@pytest.fixture(scope="module")
def untrained(run, registry):
    return build_topology(run.recipe, registry, build_split(run.recipe, "train", registry))


@pytest.fixture(scope="module")
def test_split():
    data = ToldDigits("test")
    return [data[row] for row in range(TEST)]


@pytest.fixture(scope="module")
def by_hand(run, test_split):
    """What a tower makes of the test split, by PyTorch alone."""

    @cache
    def by_hand(topology, name, *, projector):
        tower = topology.student.towers[name].eval()
        values = [sample[name] for sample in test_split]
        collates = tower.encoder if name == "text" else build_modalities(run.recipe, run.registry)[name]
        with torch.no_grad():
            pooled_ND = tower.encoder(collates.collate(values)).pooled_ND
            return tower.projector(pooled_ND) if projector else pooled_ND

    return by_hand


@pytest.fixture(scope="module")
def labels(test_split):
    return [sample.label for sample in test_split]


def recall_at_1(x_ND, labels):
    """Whether the nearest other sample by cosine is of the class, over those whose class has another: by a loop."""
    similarity = cosine_similarity(x_ND)
    found = []
    for row in range(TEST):
        if labels.count(labels[row]) > 1:
            nearest = max((other for other in range(TEST) if other != row), key=lambda other: similarity[row, other])
            found.append(labels[nearest] == labels[row])
    return np.mean(found)


TOWERS = {
    "retrieval/recall@1": ("image", False),
    "retrieval/text/recall@1": ("text", False),
    "retrieval/text/projector/recall@1": ("text", True),
}


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_is_measured_with_its_own_control(run, untrained, by_hand, labels, name):
    modality, projector = TOWERS[name]
    numbers = {row.kind: row.value for row in run.results if row.name == name}
    assert numbers.keys() == {"pretrained", "untrained", "raw"}
    trained = by_hand(run.topology, modality, projector=projector)
    assert numbers["pretrained"] == pytest.approx(recall_at_1(trained, labels))
    before = by_hand(untrained, modality, projector=projector)
    assert (trained - before).abs().max() > 1e-3
    assert numbers["untrained"] == pytest.approx(recall_at_1(before, labels))


def test_the_raw_control_is_of_the_same_modality(run, test_split, labels):
    train = ToldDigits("train")
    raw = build_modalities(run.recipe, run.registry)["text"].fit_raw(train[row]["text"] for row in range(len(train)))
    expected = recall_at_1(raw([sample["text"] for sample in test_split]), labels)
    found = {row.name: row.value for row in run.results if row.kind == "raw"}
    assert found["retrieval/text/recall@1"] == pytest.approx(expected)
    assert found["retrieval/text/recall@1"] != found["retrieval/recall@1"]


def test_results_say_which_tower_and_where_it_ends(run):
    document = json.loads((run.path / "results.json").read_text())
    protocols = {(row["evaluator"], row["of"]): row["protocol"] for row in document["results"]}
    assert protocols["retrieval", ""]["modality"] == "image"
    assert protocols["retrieval", "text"]["modality"] == "text"
    assert "features" not in protocols["retrieval", "text"]
    after = protocols["retrieval", "text/projector"]
    assert (after["modality"], after["features"]) == ("text", "projections")
    assert document["encoder"] == (
        "image encoder of the student, before the projector, text encoder, before the projector, text encoder, after the "
        "projector, image encoder, after the projector, audio encoder, after the projector, evaluation mode, fp32"
    )
    assert document["other_datasets"] == []
    report = (run.path / "report.html").read_text()
    assert "retrieval recall@1, test, text, after the projector<" in report


def test_the_protocol_of_a_tower_is_that_of_a_run_of_it_alone(run, write_recipe, registry, tmp_path):
    """So that a ledger may join a text tower's number with that of a model of texts."""
    kept = [part for part in RECIPE.split("\n\n") if not any(name in part for name in (".image", ".audio"))]
    alone = "\n\n".join(kept).replace(".text]", "]").replace("views = 1", "views = { text = 2 }")
    recipe = coview.load_recipe(write_recipe(alone + '\n[[evaluate]]\nuse = "retrieval"\nk = [1]\n'), registry=registry)
    found = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    (mine,) = (row for row in found.results if row.metric == "recall@1" and row.kind == "pretrained")
    (theirs,) = (row for row in run.results if row.name == "retrieval/text/recall@1" and row.kind == "pretrained")
    assert mine.name == "retrieval/recall@1"
    assert mine.protocol_hash == theirs.protocol_hash


@pytest.mark.parametrize("kind", ["pretrained", "untrained"])
def test_each_modality_is_searched_by_each_other(run, untrained, by_hand, kind):
    """Also sounds by pictures, of which a loss need not know."""
    topology = untrained if kind == "untrained" else run.topology
    z = {name: by_hand(topology, name, projector=True) for name in ("image", "text", "audio")}
    found = {row.name: row for row in run.results if row.kind == kind and "projections_of" in row.protocol}
    for query, gallery in permutations(z, 2):
        similarity = cosine_similarity(z[query].double(), z[gallery].double())
        ranks = 1 + (similarity > np.diag(similarity)[:, None]).sum(1)
        name = f"retrieval/{query}-to-{gallery}"
        # sounds are so alike that rounding decides on the order of some
        near = pytest.approx if "audio" not in (query, gallery) else partial(pytest.approx, abs=0.06)
        assert found[f"{name}/recall@5"].value == near((ranks <= 5).mean())
        assert found[f"{name}/mrr"].value == near((1 / ranks).mean())
        assert found[f"{name}/recall@1"].chance == pytest.approx(1 / TEST)
        assert found[f"{name}/recall@1"].ci_low <= found[f"{name}/recall@1"].value <= found[f"{name}/recall@1"].ci_high
        assert found[f"{name}/recall@1"].protocol["projections_of"] == sorted((query, gallery))
    if kind == "untrained":
        assert found["retrieval/audio-to-image/mrr"].against.difference == pytest.approx(
            next(row.value for row in run.results if row.name == "retrieval/audio-to-image/mrr")
            - found["retrieval/audio-to-image/mrr"].value,
            abs=1e-6,
        )


def test_sounds_are_classified_by_an_ensemble_of_prompts(run, by_hand, labels):
    """CLIP's: unit vectors of all prompts of a class, their mean, made a unit vector again."""
    tower = run.topology.student.towers["text"].eval()
    means = []
    for name in NAMES:
        with torch.no_grad():
            batch = tower.encoder.collate([name, f"a {name}", f"a big red {name}"])
            z_PD = torch.nn.functional.normalize(tower.projector(tower.encoder(batch).pooled_ND))
        means.append(torch.nn.functional.normalize(z_PD.mean(0), dim=0))
    predicted = cosine_similarity(by_hand(run.topology, "audio", projector=True), torch.stack(means)).argmax(1)
    (found,) = (row for row in run.results if row.name == "zero_shot/audio/accuracy" and row.kind == "pretrained")
    assert found.value == pytest.approx((predicted == labels).mean())
    assert (found.chance, found.n) == (0.1, TEST)


def test_curves_of_all_ways(run):
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "retrieval/audio-to-image/recall@1" in row] == [0, 4, 8]


def test_a_curve_of_a_tower_has_a_name_of_its_own(run):
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    points = [row["step"] for row in rows if "knn/text/accuracy" in row]
    assert points == [0, 2, 4, 6, 8]
    assert not any("knn/accuracy" in row for row in rows)


@pytest.mark.parametrize(("modality", "projector"), [*TOWERS.values(), ("audio", False), ("audio", True)])
def test_a_tower_is_embedded_from_python(run, by_hand, modality, projector):
    found = coview.embed(run, modality=modality, projector=projector)
    torch.testing.assert_close(found, by_hand(run.topology, modality, projector=projector), atol=1e-5, rtol=1e-4)
    given = coview.embed(run, ToldDigits("test"), modality=modality, projector=projector)
    torch.testing.assert_close(given, found, atol=1e-5, rtol=1e-4)


def test_a_tower_is_embedded_by_the_command(run, by_hand, tmp_path, monkeypatch, capsys):
    from coview.cli import main
    from coview.plugins import discovery

    monkeypatch.setattr(discovery, "load_plugins", lambda disable=(): run.registry)

    def embed(*arguments):
        with pytest.raises(SystemExit) as stop:
            main.main(["embed", str(run.path), *arguments])
        return stop.value.code, capsys.readouterr()

    code, told = embed("--modality", "text", "--out", str(tmp_path / "text.npz"))
    assert code == 0
    assert "the encoder did not run again" in told.err
    expected = by_hand(run.topology, "text", projector=False)
    np.testing.assert_allclose(np.load(tmp_path / "text.npz")["x"], expected, atol=1e-5, rtol=1e-5)
    code, _ = embed("--modality", "image", "--projector", "--out", str(tmp_path / "image.npz"))
    assert code == 0
    expected = by_hand(run.topology, "image", projector=True)
    np.testing.assert_allclose(np.load(tmp_path / "image.npz")["x"], expected, atol=1e-5, rtol=1e-5)
    code, told = embed("--modality", "txt", "--out", str(tmp_path / "wrong.npz"))
    assert code == 2
    assert told.err.splitlines() == [
        'error: "txt" is not a modality of three, did you mean "text"?',
        "  there is an encoder of image and one of text and one of audio",
    ]
    assert not (tmp_path / "wrong.npz").exists()


@pytest.mark.parametrize(
    ("table", "key", "message"),
    [
        ('use = "knn"\nmodality = "txt"', "modality",
         'there is no encoder of "txt", did you mean "text"?: this recipe has an encoder of image'),
        ('use = "retrieval"\nquery = "text"\ngallery = "image"\nmodality = "text"', "modality",
         "retrieval compares text and image, each after its projector: leave this key out"),
        ('use = "retrieval"\nquery = "text"\ngallery = "image"\nprojector = true', "projector",
         "retrieval compares text and image, each after its projector: leave this key out"),
        ('use = "knn"\nmodality = "text"\nevery = 2\n[[evaluate]]\nuse = "knn"\nmodality = "text"\nevery = 1', "every",
         "another knn has it already"),
    ],
)  # fmt: skip
def test_a_tower_that_is_not_there_is_a_line(write_recipe, registry, table, key, message):
    text = f"{RECIPE}\n[[evaluate]]\n{table}\n"
    lines = text.splitlines()
    line = max(number for number, each in enumerate(lines, 1) if each.startswith(f"{key} = "))
    with pytest.raises(coview.RecipeError) as raised:
        coview.load_recipe(write_recipe(text), registry=registry)
    (mistake,) = raised.value.mistakes
    assert mistake.where.endswith(f"recipe.toml:{line}")
    assert mistake.message.startswith(message)


def test_a_recipe_of_one_modality_needs_none(write_recipe, small_recipe, registry):
    text = small_recipe + '\n[[evaluate]]\nuse = "knn"\n'
    plain = coview.load_recipe(write_recipe(text), registry=registry)
    named = coview.load_recipe(write_recipe(text + 'modality = "image"\n'), registry=registry)
    assert named.hash == plain.hash
    with pytest.raises(coview.RecipeError, match=r'there is no encoder of "text": this recipe has an encoder of image'):
        coview.load_recipe(write_recipe(text + 'modality = "text"\n'), registry=registry)


def test_other_data_need_what_the_tower_takes(write_recipe, registry):
    table = '\n[[evaluate]]\nuse = "knn"\nmodality = "text"\ndata = { use = "digits" }\n'
    with pytest.raises(coview.RecipeError, match=r'"digits" has image, and the encoder takes text'):
        coview.load_recipe(write_recipe(RECIPE + table), registry=registry)


def test_a_projector_as_it_was_drawn_is_said(write_recipe, registry, run):
    """Of a run of no step the projector's numbers are of random weights, unless [start] brings it."""
    table = '\n[[evaluate]]\nuse = "knn"\nmodality = "text"\nprojector = true\n'
    text = RECIPE.replace("steps = 8", "steps = 0") + table
    warned = coview.load_recipe(write_recipe(text), registry=registry).warnings
    line = 1 + text.splitlines().index("projector = true")
    assert [each for each in warned if f"recipe.toml:{line}: the projector's layers are evaluated as they were" in each]
    start = f'\n[start.text]\nrun = "{run.path}"\nparts = ["encoder", "projector"]\n'
    brought = coview.load_recipe(write_recipe(text + start), registry=registry)
    assert not [each for each in brought.warnings if "as they were drawn" in each]
