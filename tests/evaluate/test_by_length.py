"""Embedding in parts of like length gives what embedding all together gives, with less padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview.evaluate.by_length import ByLength, in_order
from coview.evaluate.embedding import embed_split


class Padded:
    """Lists of numbers, padded with zeros; it keeps the shapes of the batches it made."""

    def __init__(self):
        self.shapes = []

    def length(self, value):
        return len(value)

    def collate(self, values):
        batch = torch.zeros(len(values), max(map(len, values)))
        for row, value in zip(batch, values, strict=True):
            row[: len(value)] = torch.tensor(value)
        self.shapes.append(tuple(batch.shape))
        return batch


class Lists:
    splits = ("test",)
    modalities = ("list",)
    classes = None
    citation = licence = version = ""

    def __init__(self, lists):
        self.lists = lists

    def __len__(self):
        return len(self.lists)

    def __getitem__(self, index):
        if not self.lists[index]:
            raise coview.SampleError(str(index), "it is empty")
        return coview.Sample({"list": self.lists[index]}, id=index)


class Sum(torch.nn.Module):
    width = 1

    def forward(self, batch):
        return coview.Encoding(batch.sum(1, keepdim=True))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=100))
def test_the_parts_come_back_in_order(lengths):
    values = [[float(i + 1)] + [0.0] * (length - 1) for i, length in enumerate(lengths)]
    modality = Padded()
    batch = ByLength(modality, modality.length).collate(values)
    assert in_order(lambda part: part.sum(1, keepdim=True), batch).flatten().tolist() == [v[0] for v in values]
    assert all(rows <= 32 for rows, _ in modality.shapes) or len(set(lengths)) == 1
    assert sum(rows for rows, _ in modality.shapes) == len(values)


@pytest.mark.parametrize("lengths", [[1, 2, 3] * 100, [4] * 300])
def test_a_split_is_embedded_as_it_is_one_by_one(lengths):
    generator = np.random.default_rng(0)
    lists = [generator.integers(1, 100, size=length).astype(float).tolist() for length in lengths]
    lists[5] = []  # cannot be read
    modality = Padded()
    found = embed_split(Sum(), Lists(lists), "test", "list", modality, device=torch.device("cpu"), workers=0)
    expected = [sum(value) for value in lists if value]
    assert found.features.x_ND.flatten().tolist() == expected
    assert found.features.ids_N.tolist() == [i for i, value in enumerate(lists) if value]
    assert [skipped.row for skipped in found.skipped] == [5]
    padded = sum(rows * width for rows, width in modality.shapes) / sum(map(len, lists))
    assert padded < 1.15


def test_sounds_are_embedded_as_they_are_one_by_one():
    from coview_audio.encoders.resnet import AudioResNet18
    from coview_audio.modality import AudioModality
    from coview_audio.sound import Sound

    generator = np.random.default_rng(0)
    sounds = [Sound(generator.standard_normal(n).astype(np.float32), 16000) for n in generator.integers(800, 24000, 40)]
    torch.manual_seed(0)
    encoder, modality = AudioResNet18(channels=4).eval(), AudioModality()

    class Sounds(Lists):
        modalities = ("audio",)

        def __getitem__(self, index):
            return coview.Sample({"audio": self.lists[index]}, id=index)

    found = embed_split(encoder, Sounds(sounds), "test", "audio", modality, device=torch.device("cpu"), workers=0)
    with torch.no_grad():
        expected = torch.cat([encoder(modality.collate([sound])).pooled_ND for sound in sounds])
    assert torch.allclose(found.features.x_ND, expected, atol=1e-5, rtol=1e-4)
