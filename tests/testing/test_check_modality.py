"""The kit finds what is wrong with a modality. Each here is right but for one mistake."""

import numpy as np
import pytest
import torch
from failing import failures

import coview
from coview.testing import check_modality

REGISTRY = coview.load_plugins()
VALUES = [np.random.default_rng(seed).normal(size=5) for seed in range(4)]


class Vectors:
    def collate(self, values):
        return {"x_ND": torch.from_numpy(np.stack(values)).float()}

    def describe(self, value):
        return f"{len(value)} numbers"

    def fit_raw(self, values):
        return lambda values: np.stack(values).astype(np.float32)

    def preview(self, writer, tag, rows, step):
        writer.add_text(tag, repr(rows), step)

    def to_html(self, value):
        return f"<code>{value}</code>"


class NoHtml:
    collate, describe, fit_raw, preview = Vectors.collate, Vectors.describe, Vectors.fit_raw, Vectors.preview


class OneRow(Vectors):
    def collate(self, values):
        return {**super().collate(values), "mean_D": torch.zeros(1)}


class Counts(Vectors):
    calls = 0

    def collate(self, values):
        Counts.calls += 1
        return {"x_ND": super().collate(values)["x_ND"] + Counts.calls}


class Local(Vectors):
    def __init__(self):
        self.function = lambda values: values

    def collate(self, values):
        return super().collate(self.function(values))


class Writes(Vectors):
    def collate(self, values):
        for value in values:
            value *= 1
            value[0] = 7
        return super().collate(values)


class Doubles(Vectors):
    def fit_raw(self, values):
        return lambda values: np.stack(values)


class Flat(Vectors):
    def fit_raw(self, values):
        return lambda values: np.concatenate(values).astype(np.float32)


class Centred(Vectors):
    def fit_raw(self, values):
        return lambda values: (np.stack(values) - np.mean(values, 0)).astype(np.float32)


class Infinite(Vectors):
    def fit_raw(self, values):
        return lambda values: np.full((len(values), 3), np.inf, dtype=np.float32)


class TwoLines(Vectors):
    def describe(self, value):
        return "two\nlines"


class NoMarkup(Vectors):
    def to_html(self, value):
        return value


class NoPreview(Vectors):
    def preview(self, writer, tag, rows, step):
        pass


class Finishes(Vectors):
    def collate_raw(self, values):
        return self.collate(values)

    def finish(self, batch):
        return batch


class FinishesElse(Finishes):
    def finish(self, batch):
        return {"x_ND": batch["x_ND"] * 2}


class Lengths(Vectors):
    def length(self, value):
        return len(value)


class NoNumber(Vectors):
    def length(self, value):
        return str(len(value))


class NoSummary(Vectors):
    def summary(self, values):
        return len(values)


MUTANTS = [
    (NoHtml, "has_what_a_modality_has"),
    (OneRow, "a_batch_has_a_row_for_each_value"),
    (Counts, "is_a_function_of_its_values"),
    (Local, "is_a_function_of_its_values"),
    (Writes, "leaves_values_alone"),
    (Doubles, "raw_features_are_rows_of_numbers"),
    (Flat, "raw_features_are_rows_of_numbers"),
    (Centred, "raw_features_are_rows_of_numbers"),
    (Infinite, "raw_features_are_rows_of_numbers"),
    (TwoLines, "a_value_can_be_shown"),
    (NoMarkup, "a_value_can_be_shown"),
    (NoPreview, "a_value_can_be_shown"),
    (FinishesElse, "the_device_can_finish"),
    (NoNumber, "lengths_and_summaries_are_what_they_say"),
    (NoSummary, "lengths_and_summaries_are_what_they_say"),
]


@pytest.mark.parametrize("modality", [Vectors, Finishes, Lengths])
def test_one_that_is_right_passes(modality):
    check_modality(modality, VALUES)


@pytest.mark.parametrize(("mutant", "check"), MUTANTS)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_modality, mutant, VALUES)[0] == {check}


@pytest.mark.parametrize(("name", "dataset"), [("image", "digits"), ("text", "scipy_docs"), ("audio", "spoken_digits")])
def test_the_modalities_of_coview_keep_their_promises(name, dataset):
    data = REGISTRY.build("dataset", dataset, supplied={"split": "test"})
    component = next(c for c in REGISTRY.of_kind("modality") if c.name == name)
    check_modality(component.load(), [data[row][name] for row in range(4)])


def test_one_value_is_too_few():
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        check_modality(Vectors, VALUES[:1])
