"""One encoder for two modalities: trained once, by both, and kept once, in every way that a run can take."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from test_two_ranks import train, weights
from torch import nn

import answers
import coview
from answers import RECIPE, Finds, Linear, registry, vectors
from coview.data.batch import Batch
from coview.data.order import Order
from coview.experiment.exported_weights import note_weights, read_exported
from coview.experiment.trial import try_out
from coview.model.loss_terms import LossTerms, Term
from coview.model.parameter_groups import named_parameters
from coview.model.teacher import Teacher
from coview.model.topology import Topology
from coview.model.tower import Tower, Towers
from coview.recipe.tables import TeacherTable
from coview.train.accelerator import make_accelerator
from coview.train.checkpoint import tensors_of
from coview.train.gradient import GradientOfBatch

QUESTION, ANSWER = "student.towers.question.encoder.", "student.towers.answer.encoder."


@pytest.fixture
def trained(write_recipe, tmp_path):
    def trained(*sets, name="run", text=RECIPE):
        found = registry()
        recipe = coview.load_recipe(write_recipe(text), sets=sets, registry=found)
        return coview.run(recipe, tmp_path / name, registry=found, quiet=True)

    return trained


def encoder_of(run):
    return {
        name.removeprefix(QUESTION): tensor
        for name, tensor in tensors_of(run.checkpoint.path).items()
        if name.startswith(QUESTION)
    }


def by_hand(steps, turned=-1):
    """What the recipe comes to in a loop of its own, with one linear map for both."""
    torch.manual_seed(4)
    encoder = Linear()
    encoder.fit([vectors(row)[name] for name in ("question", "answer") for row in range(60)])
    weight, bias = encoder.layers[0].weight, encoder.layers[0].bias
    decayed = [{"params": [bias], "weight_decay": 0.0}, {"params": [weight], "weight_decay": 0.01}]
    optimizer = torch.optim.SGD(decayed, lr=0.5, momentum=0.9)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.5 * (1 + math.cos(math.pi * step / steps)) / 2
        rows = Order(60, 16, 4).epoch(step // 3)[16 * (step % 3) :][:16]
        question, answer = (np.stack([vectors(row)[name] for row in rows]) for name in ("question", "answer"))
        both = torch.from_numpy(np.concatenate([question, turned * answer]))
        a, b = nn.functional.normalize(torch.tanh((both - encoder.mean) @ weight.T + bias), dim=-1).split(16)
        optimizer.zero_grad()
        nn.functional.cross_entropy(a @ b.T / 0.2, torch.arange(16)).backward()
        optimizer.step()
    return encoder


def test_a_run_is_a_loop_with_one_encoder(trained):
    run = trained()
    expected, found = by_hand(4).state_dict(), encoder_of(run)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.allclose(found[name], tensor, atol=2e-6), name
    assert found["fitted"] == 120  # of both modalities


def test_it_is_in_the_checkpoint_once_by_both_names(trained):
    run = trained()
    path = run.checkpoint.path / "weights.safetensors"
    assert len(load_file(path)) == 4
    with safe_open(path, framework="pt") as opened:
        shared = opened.metadata()
    assert len([name for name in shared if name.startswith((QUESTION, ANSWER))]) == 4
    both = tensors_of(run.checkpoint.path)
    assert all(torch.equal(both[QUESTION + name], both[ANSWER + name]) for name in encoder_of(run))
    again = coview.load_run(run.path, registry=registry())
    student = again.topology.student
    assert student.encoder("question") is student.encoder("answer")
    assert torch.equal(again.encoder.layers[0].weight, encoder_of(run)["layers.0.weight"])


def test_parameters_are_counted_once_and_called_by_who_has_the_encoder(trained, write_recipe):
    for owner, other in (("question", "answer"), ("answer", "question")):
        text = RECIPE.replace('[encoder.question]\nuse = "linear"', f'[encoder.{owner}]\nuse = "linear"')
        text = text.replace('[encoder.answer]\nshared = "question"', f'[encoder.{other}]\nshared = "{owner}"')
        run = trained(text=text, name=owner)
        names = named_parameters(run.topology.student, run.topology.loss)
        assert list(names) == [f"encoder.{owner}.layers.0.weight", f"encoder.{owner}.layers.0.bias"]
        recipe = coview.load_recipe(write_recipe(text), registry=registry())
        assert ", 36 parameters, " in try_out(recipe, registry())
        state = torch.load(run.checkpoint.path / "state.pt", weights_only=True)
        assert len(state["optimizer"]["state"]) == 2


def test_a_group_by_the_other_name_is_told_whose_encoder_it_is(trained):
    group = '\n[[optimizer.group]]\nmatch = "encoder.answer.*"\nlr_scale = 0.1\n'
    with pytest.raises(coview.CoviewError, match=r'no parameter is called "encoder.answer') as raised:
        trained(text=RECIPE + group)
    assert raised.value.hint == "they are encoder.question.*; the encoder of answer is encoder.question"


def test_a_frozen_encoder_is_frozen_for_both(trained):
    heads = RECIPE.replace('use = "identity"', 'use = "mlp"\nhidden = 8\nwidth = 4')
    group = '\n[[optimizer.group]]\nmatch = "encoder.*"\nfreeze = {}\n'
    for freeze, moves in (("true", False), ("3", True)):
        run = trained("train.grad_cache=5", text=heads + group.format(freeze), name=freeze)
        found = encoder_of(run)["layers.0.weight"]
        torch.manual_seed(4)
        assert torch.equal(found, Linear().layers[0].weight) is not moves


def test_batches_are_its_own_where_it_makes_them(trained):
    run = trained(text=RECIPE.replace('use = "linear"', 'use = "own"'))
    expected = by_hand(4, turned=1)  # a modality turns answers round, the encoder does not
    assert torch.allclose(encoder_of(run)["layers.0.weight"], expected.layers[0].weight, atol=2e-6)


@pytest.mark.parametrize("sets", [["data.workers=2"], ["train.checkpoint_every=1"]])
def test_what_changes_nothing_else_changes_nothing_here(trained, sets):
    plain, other = trained(), trained(*sets, name="other")
    assert all(torch.equal(tensor, encoder_of(other)[name]) for name, tensor in encoder_of(plain).items())


def test_a_resume_is_bit_for_bit_the_run_without_a_stop(trained, tmp_path):
    sets = ["teacher.momentum=0.9", "train.grad_cache=5", "encoder.question.dropout=0.3"]
    whole = trained(*sets)
    half = tmp_path / "half" / "faq" / whole.path.name
    shutil.copytree(whole.path, half, symlinks=True)
    shutil.rmtree(half / "checkpoints" / "step-4")
    (half / "checkpoints" / "last").unlink(missing_ok=True)
    environment = json.loads((half / "environment.json").read_text())
    del environment["ended"], environment["finished"]
    (half / "environment.json").write_text(json.dumps(environment))
    done = coview.run(whole.recipe, tmp_path / "half", resume=True, registry=registry(), quiet=True)
    assert done.path == half
    first, second = tensors_of(whole.checkpoint.path), tensors_of(done.checkpoint.path)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_teacher_has_one_copy_for_both_and_follows_once(trained):
    run = trained("teacher.momentum=0.9", "teacher.end_momentum=0.9", "train.steps=1", "train.checkpoint_every=1")
    found = tensors_of(run.checkpoint.path)
    name = "encoder.layers.0.weight"
    copies = [found[f"teacher.towers.towers.{modality}.{name}"] for modality in ("question", "answer")]
    torch.manual_seed(4)
    expected = torch.lerp(Linear().layers[0].weight, found[f"student.towers.question.{name}"], 0.1)
    assert torch.equal(copies[0], copies[1])
    assert torch.allclose(copies[0], expected, atol=1e-7)
    teacher = coview.load_run(run.path, registry=registry()).topology.teacher.towers
    assert teacher.encoder("question") is teacher.encoder("answer")


def test_a_copy_for_curves_shares_as_well(trained):
    copied = trained().topology.evaluated_copy().student
    assert copied.encoder("question") is copied.encoder("answer")


def test_both_modalities_are_measured_by_it(trained):
    across = '\n[[evaluate]]\nuse = "retrieval"\nquery = "{}"\ngallery = "{}"\nk = [1]\n'
    run = trained(text=RECIPE + across.format("question", "answer") + across.format("answer", "question"))
    encoder = by_hand(4)
    test = [vectors(1000 + row) for row in range(60)]
    with torch.no_grad():
        a = encoder(torch.from_numpy(np.stack([row["question"] for row in test]))).pooled_ND
        b = encoder(-torch.from_numpy(np.stack([row["answer"] for row in test]))).pooled_ND
    likeness = nn.functional.normalize(a, dim=-1) @ nn.functional.normalize(b, dim=-1).T
    found = [row.value for row in run.results if (row.metric, row.kind) == ("recall@1", "pretrained")]
    own = torch.arange(60)
    assert found == pytest.approx([(s.argmax(1) == own).double().mean().item() for s in (likeness, likeness.T)])


def test_trained_weights_start_it_for_both_and_it_is_not_fitted_again(trained):
    before = trained()
    start = f'\n[start.question]\nrun = "{before.path}"\n'
    after = trained("train.steps=0", "evaluate=[{use='knn', k=3}]", text=RECIPE + start, name="after")
    student = after.topology.student
    assert student.encoder("question") is student.encoder("answer")
    for name, tensor in encoder_of(before).items():
        assert torch.equal(student.encoder("answer").state_dict()[name], tensor), name


def test_an_exported_folder_is_of_all_modalities_that_share(trained, tmp_path):
    recipe = trained().recipe
    assert recipe.sharing_encoder("answer") == recipe.sharing_encoder("question") == ("question", "answer")
    encoder = Linear()
    for name, shared_by in (("shared", ("question", "answer")), ("own", ())):
        (tmp_path / name).mkdir()
        note_weights(tmp_path / name, encoder, modality="question", kind="pretrained", shared_by=shared_by)
    assert torch.equal(read_exported(tmp_path / "shared", "answer")["layers.0.weight"], encoder.layers[0].weight)
    for name, modality in (("own", "answer"), ("shared", "image")):
        with pytest.raises(coview.CoviewError, match=f"has an encoder for question, and none for {modality}"):
            read_exported(tmp_path / name, modality)


def test_at_random_weights_it_is_random_for_both(trained):
    """The control of a run without a step, also where the modality that is measured is not the one that has it."""
    text = RECIPE.replace('[encoder.question]\nuse = "linear"', '[encoder.answer]\nuse = "linear"\npretrained = true')
    text = text.replace('[encoder.answer]\nshared = "question"', '[encoder.question]\nshared = "answer"')
    run = trained("train.steps=0", "evaluate=[{use='knn', k=3}]", text=text)
    assert {row.kind for row in run.results} == {"pretrained", "untrained", "raw"}
    sets = ["train.steps=0", "evaluate=[{use='knn', k=3}]", "encoder.answer.pretrained=false"]
    assert {row.kind for row in trained(*sets, text=text, name="random").results} == {"untrained", "raw"}


# ---- the gradient, in fp64 ----------------------------------------------------------------------------------------

N = 11


class Identity(nn.Identity):
    width = 6


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(towers, inputs, rows, *, teacher=False, dropout=0.0):
    torch.manual_seed(0)
    encoder = Linear(dropout=dropout)
    student = Towers({name: Tower(encoder, Identity()) for name in towers}, (*towers, *towers)[:2], 2)
    averaged = Teacher(student, TeacherTable(), 0) if teacher else None
    built = Topology(student, LossTerms([Term("loss", 1.0, Finds())]), averaged).double().train()
    step = GradientOfBatch(
        built, built.student, make_accelerator(torch.device("cpu"), "fp32"),
        rows=rows, batch_size=N, seed=5, channels_last=False,
    )  # fmt: skip
    found = step.add(
        Batch(inputs, torch.arange(N), None, None, None, {}), step=4, part=0, share=1.0, progress=0.25, synchronise=True
    )
    assert len([p for p in built.student.parameters() if p.grad is not None]) == 2
    return [p.grad for p in encoder.parameters()], found.outputs["loss"]


@pytest.fixture
def inputs(double):
    generator = torch.Generator().manual_seed(3)
    return {name: torch.randn(N, 5, generator=generator) for name in ("a", "b")}


@pytest.mark.parametrize("rows", [None, 4, 1])
def test_sharing_is_one_modality_with_the_rows_of_both_below_each_other(inputs, rows):
    both = {"x": torch.cat([inputs["a"], inputs["b"]])}
    expected, loss = gradients(("x",), both, None)
    found, of_shared = gradients(("a", "b"), inputs, rows)
    assert torch.allclose(loss, of_shared, atol=1e-12)
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, atol=1e-10)
        assert other.abs().max() > 1e-3


def test_the_gradient_is_the_sum_of_what_two_alike_encoders_get(inputs):
    torch.manual_seed(0)
    first = Linear()
    torch.manual_seed(0)
    second = Linear()
    views = [first(inputs["a"]).pooled_ND, second(inputs["b"]).pooled_ND]
    a, b = (nn.functional.normalize(z, dim=-1) for z in views)
    nn.functional.cross_entropy(a @ b.T / 0.2, torch.arange(N)).backward()
    found, _ = gradients(("a", "b"), inputs, None)
    for one, other, of_both in zip(first.parameters(), second.parameters(), found, strict=True):
        assert torch.allclose(one.grad + other.grad, of_both, atol=1e-12)


# ---- several processes --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", "[teacher]\nmomentum = 0.9\n"], ids=["plain", "teacher"])
def test_two_ranks_end_with_the_weights_of_one_process(write_recipe, tmp_path, monkeypatch, more):
    shutil.copy(Path(answers.__file__), tmp_path / "answers.py")
    about = tmp_path / "answers-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: answers\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[coview]\nanswers = answers\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    recipe = write_recipe(RECIPE + more)
    train(recipe, 1, tmp_path / "one")
    train(recipe, 2, tmp_path / "two")
    one, two = weights(tmp_path / "one", 4), weights(tmp_path / "two", 4)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, two[name], atol=2e-6), name
