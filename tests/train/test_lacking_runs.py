"""Runs on data whose samples lack modalities: views, terms with too few samples, resumes, what is refused and told."""

import json
import shutil

import numpy as np
import pytest
import torch
from test_two_ranks import train, weights

import coview
import triples
from coview.data.building import build_collators, build_split, build_view_maker
from coview.data.loader import view_loader
from coview.evaluate.embedding import read_embedded
from coview.model.encoder_hooks import collators
from coview.model.topology import build_topology
from coview.train.checkpoint import tensors_of
from triples import MODALITIES, registry, values_of

RECIPE = triples.RECIPE.replace('use = "triples"', 'use = "some"')
NOISE = "".join(f'\n[[augment.{name}]]\nuse = "noise"\n' for name in MODALITIES)
ON_DEVICE = "".join(f'\n[[augment.{name}]]\nuse = "noise_of_batch"\n' for name in MODALITIES)

RETRIEVAL = """
[[evaluate]]
use = "retrieval"
query = "{}"
gallery = "{}"
k = [1]
"""


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(text=RECIPE, *sets, name="run"):
        found = registry()
        recipe = coview.load_recipe(write_recipe(text), sets=sets, registry=found)
        return coview.run(recipe, tmp_path / name, registry=found, quiet=True)

    return trained


def metrics(run):
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def batches(write_recipe, text, workers, rows):
    found = registry()
    recipe = coview.load_recipe(write_recipe(text), registry=found)
    dataset = build_split(recipe, "train", found)
    topology = build_topology(recipe, found, dataset)
    loader = view_loader(
        dataset,
        build_view_maker(recipe, found),
        collators(build_collators(recipe, found), topology.student),
        [[(2, number, row) for row in of_batch] for number, of_batch in enumerate(rows)],
        workers=workers,
    )
    return [topology.augmented(batch) for batch in loader]


@pytest.mark.parametrize("noise", [NOISE, ON_DEVICE], ids=["in a worker", "on the device"])
@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_sample_has_is_augmented_as_if_all_samples_had_all(write_recipe, noise, workers):
    """Views are functions of (seed, epoch, sample, view), whatever others of their batch lack."""
    rows = [[0, 1, 2, 4], [1, 2, 3, 5], [8, 12, 13]]  # of the second batch no sample has a sound
    some = batches(write_recipe, RECIPE + noise, workers, rows)
    every = batches(write_recipe, RECIPE.replace('"some"', '"triples"') + noise, 0, rows)
    present = triples.Some().present
    for found, whole, of_batch in zip(some, every, rows, strict=True):
        assert whole.present == {}
        for name in MODALITIES:
            at = np.flatnonzero(present[name][of_batch])
            assert found.present[name].tolist() == at.tolist()
            assert found.ids_of(name).tolist() == [of_batch[place] for place in at]
            if len(at):
                assert torch.equal(found.inputs[name], whole.inputs[name][at])
            else:
                assert name not in found.inputs
    assert some[1].count_of("sound") == 0


def test_a_modality_that_nobody_has_is_a_batch_of_no_rows_before_it_is_encoded(write_recipe):
    found = registry()
    recipe = coview.load_recipe(write_recipe(RECIPE + NOISE), registry=found)
    dataset = build_split(recipe, "train", found)
    for workers in (0, 1):
        loader = view_loader(
            dataset, build_view_maker(recipe, found), build_collators(recipe, found), [[(0, 0, 1), (0, 0, 2)]],
            workers=workers,
        )  # fmt: skip
        (batch,) = loader
        assert batch.inputs["sound"].shape == (0, 5)
        assert batch.inputs["picture"].shape == (2, 5)


def test_a_resume_in_mid_epoch_and_loader_processes_change_nothing(trained, tmp_path):
    text = RECIPE + NOISE
    whole = trained(text)
    half = tmp_path / "half" / "triples" / whole.path.name
    shutil.copytree(whole.path, half, symlinks=True)
    shutil.rmtree(half / "checkpoints" / "step-4")
    (half / "checkpoints" / "last").unlink()
    environment = json.loads((half / "environment.json").read_text())
    del environment["ended"], environment["finished"]
    (half / "environment.json").write_text(json.dumps(environment))
    done = coview.run(whole.recipe, tmp_path / "half", resume=True, registry=registry(), quiet=True)
    parallel = trained(text, "data.workers=2", name="parallel")
    expected = tensors_of(whole.path / "checkpoints" / "step-4")
    for other in (done, parallel):
        found = tensors_of(other.path / "checkpoints" / "step-4")
        assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_the_gradient_cache_changes_nothing(trained):
    plain = tensors_of(trained().checkpoint.path)
    cached = tensors_of(trained(RECIPE, "train.grad_cache=3", name="cached").checkpoint.path)
    for name, tensor in plain.items():
        torch.testing.assert_close(cached[name], tensor, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["linear", "normalised"])
def test_two_ranks_end_with_the_weights_of_one_process(write_recipe, tmp_path, monkeypatch, encoder):
    about = tmp_path / "triples-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: triples\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\ntriples = triples\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{triples.__file__.rpartition('/')[0]}")
    recipe = write_recipe(RECIPE.replace('use = "linear"', f'use = "{encoder}"'))
    for ranks in (1, 2):
        train(recipe, ranks, tmp_path / str(ranks))
    alone, shared = weights(tmp_path / "1", 4), weights(tmp_path / "2", 4)
    for name, tensor in alone.items():
        torch.testing.assert_close(shared[name], tensor, atol=3e-5, rtol=1e-4)


def test_too_few_samples_for_a_term_are_a_loss_of_zero(trained):
    """Two of sixty samples have a sound: in most batches no pair of them."""
    text = RECIPE.replace('"some"', '"scarce"').replace("steps = 4", "steps = 12")
    run = trained(text, "optimizer.momentum=0.0")
    rows = [line["rows/siglip-picture-sound"] for line in metrics(run)]
    assert 0 in rows
    for line, there in zip(metrics(run), rows, strict=True):
        assert line["rows/clip-picture-caption"] == 16
        assert (line["loss/siglip-picture-sound"] > 0) is (there >= 2)
        assert line["loss"] == pytest.approx(
            line["loss/clip-picture-caption"] + 0.5 * line["loss/siglip-picture-sound"], rel=1e-6
        )


def test_a_single_sample_is_none_for_batch_norm(trained):
    text = RECIPE.replace('"some"', '"scarce"').replace('use = "linear"', 'use = "normalised"')
    lines = metrics(trained(text.replace("steps = 4", "steps = 12")))
    rows = [line["rows/siglip-picture-sound"] for line in lines]
    assert 1 not in rows
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_retrieval_is_of_the_samples_that_have_both(trained):
    run = trained(RECIPE + RETRIEVAL.format("caption", "picture") + RETRIEVAL.format("sound", "caption"))
    present = triples.Some(split="test").present
    folder = run.path / "features"

    def projected(name):
        (path,) = folder.glob(f"pretrained-step-4-projected-{name}/test.safetensors")
        of = {"rows": int(present[name].sum()), "version": "", "recipe": run.recipe.hash, "modality": name}
        embedded = read_embedded(path, of)
        return {int(row) - 1000: z for row, z in zip(embedded.features.ids_N, embedded.features.x_ND, strict=True)}

    found = {
        (row.protocol["query"], row.protocol["gallery"]): row
        for row in run.results
        if row.metric == "recall@1" and row.kind == "pretrained"
    }
    for query, gallery in (("caption", "picture"), ("sound", "caption")):
        both = np.flatnonzero(present[query] & present[gallery]).tolist()
        ours, theirs = projected(query), projected(gallery)
        assert set(ours) == set(np.flatnonzero(present[query]).tolist())
        hits = 0
        for row in both:
            cosines = [float(torch.nn.functional.cosine_similarity(ours[row], theirs[other], dim=0)) for other in both]
            hits += both[int(np.argmax(cosines))] == row
        assert found[query, gallery].n == len(both)
        assert found[query, gallery].value == pytest.approx(hits / len(both))
    assert len({str(row.protocol["rows"]) for row in found.values()}) == 2


def test_what_samples_lack_is_told(write_recipe, tmp_path, capsys):
    found = registry()
    recipe = coview.load_recipe(write_recipe(RECIPE), registry=found)
    coview.run(recipe, tmp_path / "run", registry=found)
    said = "".join(capsys.readouterr())
    present = triples.Some().present
    for name in MODALITIES:
        assert f"{int((~present[name]).sum())} of 60 train samples have no {name}" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"some"', '"unsaid"'), "it has a value of .*, and the data set's present says that it has none"),
        (("[optimizer]", "[teacher]\nmomentum = 0.9\nshuffle_groups = 2\n\n[optimizer]"), "shuffles whole samples"),
        (('use = "linear"', 'use = "normalised"'), "grad_cache: .* a single sample may have a .* has batch norm"),
    ],
)
def test_what_cannot_be_is_refused_before_training(trained, change, message):
    for rows in ("4", "auto") if "normalised" in change[1] else (None,):
        sets = () if rows is None else (f"train.grad_cache={rows}",)
        with pytest.raises(coview.CoviewError, match=message):
            trained(RECIPE.replace(*change), *sets)


def test_a_pair_that_nobody_has_is_refused(trained, monkeypatch):
    monkeypatch.setattr(triples.Some, "has", lambda self, index, name: name == ("sound" if index % 2 else "picture"))
    init = triples.Some.__init__

    def other(self, *, split="train"):
        init(self, split=split)
        self.present = {name: [self.has(row, name) for row in range(60)] for name in MODALITIES}

    monkeypatch.setattr(triples.Some, "__init__", other)
    with pytest.raises(coview.CoviewError, match='no sample of "some" has a caption'):
        trained()
    only = RECIPE.replace('["picture", "caption"]', '["picture", "sound"]').replace(
        "views = 1", "views = { picture = 1, sound = 1 }"
    )
    for name in ("encoder", "projector"):
        only = only.replace(f'[{name}.caption]\nuse = "{"linear" if name == "encoder" else "identity"}"\n\n', "")
    with pytest.raises(
        coview.CoviewError, match="clip needs at least 2 samples that have picture and sound, and only 0 of 60"
    ):
        trained(only)


def test_samples_without_any_modality_of_the_recipe_are_left_out(trained):
    only = RECIPE.replace("views = 1", "views = { sound = 2 }").replace("batch_size = 16", "batch_size = 5")
    start, end = only.index("[encoder.picture]"), only.index("[optimizer]")
    only = only[:start] + '[encoder]\nuse = "linear"\n\n[loss]\nuse = "nt_xent"\n\n' + only[end:]
    run = trained(only + NOISE[: NOISE.index("[[augment.caption]]")].replace("augment.picture", "augment"))
    assert "rows/nt_xent" not in metrics(run)[0]
    assert values_of(0)["sound"].shape == (5,)
