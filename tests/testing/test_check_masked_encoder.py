"""The kit finds what is wrong with an encoder that takes masks. Each here is right but for one mistake."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from failing import failures
from torch import nn

import coview
from coview.testing import check_encoder
from coview.testing.encoder_masks import MASKED_ENCODER_CHECKS

VALUES = [torch.randn(length, 3, generator=torch.Generator().manual_seed(length)) for length in (5, 2, 7)]
WORDS = [torch.tensor([4, 1, 5, 2, 3]), torch.tensor([2, 6]), torch.tensor([1, 2, 3, 4, 5, 6, 2])]


class Sequences:
    """Sequences of vectors, or of words, padded with zeros."""

    def collate(self, values):
        lengths = torch.tensor([len(value) for value in values])
        return {"x": nn.utils.rnn.pad_sequence(values, batch_first=True), "lengths_N": lengths}


class Right(nn.Module):
    """Each token beside the mean of those that are there."""

    hides = ("replace", "drop")
    token_width = width = 4
    mask_width, value_width, classes = 4, 3, 0

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.Linear(3, 4), nn.Linear(4, 4)

    def embed(self, batch, mask):
        return self.layer(batch["x"])

    def real(self, batch):
        return torch.arange(batch["x"].shape[1], device=batch["x"].device) < batch["lengths_N"][:, None]

    def forward(self, batch):
        return self.encode_tokens(batch, None)

    def token_layout(self, batch):
        real_NT = self.real(batch)
        return coview.TokenLayout(real_NT, real_NT, (real_NT.shape[1],))

    def token_values(self, batch):
        return batch["x"]

    def replaced(self, x_NTD, mask, mask_token_D):
        return torch.where(mask.replaced_NT[..., None], mask_token_D, x_NTD)

    def there(self, batch, mask):
        return self.real(batch) if mask is None else mask.seen_NT

    def encode_tokens(self, batch, mask, *, mask_token_D=None, layers=0):
        x_NTD = self.embed(batch, mask)
        if mask_token_D is not None:
            x_NTD = self.replaced(x_NTD, mask, mask_token_D)
        there_NT1 = self.there(batch, mask)[..., None].to(x_NTD.dtype)
        mean_ND = (x_NTD * there_NT1).sum(1) / there_NT1.sum(1).clamp(min=1)
        tokens_NTD = self.out((x_NTD + mean_ND[:, None]).tanh())
        pooled_ND = (tokens_NTD * there_NT1).sum(1) / there_NT1.sum(1).clamp(min=1)
        return coview.Encoding(pooled_ND, tokens_NTD, self.real(batch), (tokens_NTD,) * layers)


class RightOfWords(Right):
    hides = ("replace", "swap")
    value_width, classes = 0, 7

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Embedding(7, 4)

    def embed(self, batch, mask):
        words = batch["x"]
        if mask is not None and mask.swap_NT is not None:
            words = torch.where(mask.swap_NT >= 0, (mask.swap_NT.clamp(min=0) * 7).long(), words)
        return self.layer(words)


class Draws(Right):
    """A row of pixels for each number of a token, on the scale of the first version."""

    def draw_tokens(self, values_STP, layout, modality):
        grey = (values_STP * 20 / values_STP[0].abs().max() + 128).clamp(0, 255).to(torch.uint8)
        token = torch.arange(layout.shape[0]).expand(3, -1)
        return coview.TokenPictures(grey.transpose(1, 2)[..., None].expand(-1, -1, -1, 3).numpy(), token.numpy())


class DrawsOneLess(Draws):
    def draw_tokens(self, values_STP, layout, modality):
        drawn = super().draw_tokens(values_STP, layout, modality)
        return coview.TokenPictures(drawn.pixels_SHW3[:, :, 1:], drawn.token_HW[:, 1:])


class DrawsOneVersion(Draws):
    def draw_tokens(self, values_STP, layout, modality):
        drawn = super().draw_tokens(values_STP, layout, modality)
        return coview.TokenPictures(drawn.pixels_SHW3[:1], drawn.token_HW)


class DrawsTokensThatAreNone(Draws):
    def draw_tokens(self, values_STP, layout, modality):
        drawn = super().draw_tokens(values_STP, layout, modality)
        more = np.concatenate([drawn.token_HW, drawn.token_HW + 1])
        return coview.TokenPictures(drawn.pixels_SHW3.repeat(2, axis=1), more)


class DrawsAtRandom(Draws):
    def draw_tokens(self, values_STP, layout, modality):
        return super().draw_tokens(values_STP + torch.rand_like(values_STP), layout, modality)


class ScalesEachVersion(Draws):
    def draw_tokens(self, values_STP, layout, modality):
        return super().draw_tokens(values_STP / values_STP.abs().amax((1, 2), keepdim=True), layout, modality)


class Names(RightOfWords):
    def token_names(self, tokens_T):
        return [f"word {token}" for token in tokens_T.tolist()]

    def swapped_tokens(self, tokens_NT, mask):
        return torch.where(mask.swap_NT >= 0, (mask.swap_NT.clamp(min=0) * 7).long(), tokens_NT)


class NamesTwo(Names):
    def token_names(self, tokens_T):
        return ["one", "two"]


class ShowsAllSwapped(Names):
    def swapped_tokens(self, tokens_NT, mask):
        return torch.zeros_like(tokens_NT)


class ShowsNoneSwapped(Names):
    def swapped_tokens(self, tokens_NT, mask):
        return tokens_NT


class TakesNone(Right):
    """Its architecture takes no mask after all."""

    hides = ()
    token_values = token_layout = None


class OneTokenLess(Right):
    def token_layout(self, batch):
        real_NT = self.real(batch)[:, 1:]
        return coview.TokenLayout(real_NT, real_NT, (real_NT.shape[1],))


class HidesPadding(Right):
    def token_layout(self, batch):
        real_NT = self.real(batch)
        return coview.TokenLayout(real_NT, torch.ones_like(real_NT), (real_NT.shape[1],))


class OtherWidth(Right):
    value_width = 5


class FewerWords(RightOfWords):
    classes = 6


class ScalesTokens(Right):
    def forward(self, batch):
        encoding = super().forward(batch)
        return coview.Encoding(encoding.pooled_ND * 2, encoding.tokens_NTD)


class OneLayerLess(Right):
    def encode_tokens(self, batch, mask, *, mask_token_D=None, layers=0):
        return super().encode_tokens(batch, mask, mask_token_D=mask_token_D, layers=max(layers - 1, 0))


class ReplacesWhatIsKept(Right):
    def replaced(self, x_NTD, mask, mask_token_D):
        return torch.where(mask.hidden_NT[..., None], mask_token_D, x_NTD)


class SeesAll(Right):
    """The mean is of dropped tokens too."""

    def there(self, batch, mask):
        real = self.real(batch)
        return real if mask is None or mask.hide == "replace" else real.float() - 0.5 * mask.hidden_NT


class Mixes(Right):
    def embed(self, batch, mask):
        x_NTD = super().embed(batch, mask)
        return x_NTD + (batch["x"] * self.real(batch)[..., None]).sum((1, 2))[:, None, None]


class DropsNothing(Right):
    def there(self, batch, mask):
        return self.real(batch)


class OwnToken(Right):
    def replaced(self, x_NTD, mask, mask_token_D):
        return torch.where(mask.replaced_NT[..., None], torch.ones_like(x_NTD), x_NTD)


class SwapsNothing(RightOfWords):
    def embed(self, batch, mask):
        return self.layer(batch["x"])


class CountsPadding(Right):
    def replaced(self, x_NTD, mask, mask_token_D):
        return super().replaced(x_NTD, mask, mask_token_D + 0.1 * x_NTD.shape[1])


class WritesIntoTheBatch(Right):
    def encode_tokens(self, batch, mask, *, mask_token_D=None, layers=0):
        made = super().encode_tokens(batch, mask, mask_token_D=mask_token_D, layers=layers)
        if mask_token_D is not None:
            batch["x"][~self.real(batch)] = 1.0
        return made


class WritesIntoTheMask(Right):
    def encode_tokens(self, batch, mask, *, mask_token_D=None, layers=0):
        made = super().encode_tokens(batch, mask, mask_token_D=mask_token_D, layers=layers)
        if mask is not None:
            mask.wanted_NBT.fill_(False)
        return made


class ASeparator(Right):
    """Only the first token may be hidden."""

    def token_layout(self, batch):
        real_NT = self.real(batch)
        return coview.TokenLayout(real_NT, real_NT & (torch.arange(real_NT.shape[1]) < 1), (real_NT.shape[1],))


@pytest.mark.parametrize(
    ("right", "values"), [(Right, VALUES), (RightOfWords, WORDS), (TakesNone, VALUES), (Draws, VALUES), (Names, WORDS)]
)
def test_what_is_right_passes(right, values):
    check_encoder(right, Sequences(), values)


def test_values_of_one_token_are_no_fault_of_the_encoders():
    """Such as a single node of a graph: no check of hidden tokens finds something wrong, and that is said."""
    short = [value[:1] for value in VALUES]
    notes = check_encoder(Right, Sequences(), short)
    assert notes == ["no value has more than one token: what it promises of hidden tokens is not tried"]
    assert not check_encoder(Right, Sequences(), VALUES)


WRONG = [
    (OneTokenLess, "says_which_tokens_it_has", "by token_layout and token_width (3, 6, 4)"),
    (HidesPadding, "says_which_tokens_it_has", "token_layout says that padding may be hidden"),
    (ASeparator, "says_which_tokens_it_has", "none of the values has two tokens that may be hidden"),
    (OtherWidth, "says_which_tokens_it_has", "token_values is of shape (3, 7, 3), and value_width is 5"),
    (FewerWords, "says_which_tokens_it_has", "classes that are not below classes = 6"),
    (ScalesTokens, "encodes_the_same_where_nothing_is_hidden", "without a mask, encode_tokens makes something else"),
    (OneLayerLess, "encodes_the_same_where_nothing_is_hidden", "layers_LNTD is of shapes []"),
    (ReplacesWhatIsKept, "encodes_the_same_where_nothing_is_hidden", "where hidden tokens are kept as they are"),
    (SeesAll, "does_not_see_what_is_hidden", 'with hide = "drop", what is hidden changes'),
    (Mixes, "does_not_see_what_is_hidden", 'with hide = "replace", what is hidden changes'),
    (DropsNothing, "hides_in_every_way_it_says", 'with hide = "drop" it encodes as if nothing were hidden'),
    (OwnToken, "hides_in_every_way_it_says", "mask_token_D, gets no gradient"),
    (SwapsNothing, "hides_in_every_way_it_says", "a token that is swapped for another changes nothing"),
    (CountsPadding, "padding_changes_nothing_beside_hidden_tokens", "value 0 alone is encoded differently"),
    (WritesIntoTheBatch, "leaves_its_batch_and_mask_alone", "it writes into the batch"),
    (WritesIntoTheMask, "leaves_its_batch_and_mask_alone", "it writes into the mask"),
    (DrawsOneLess, "shows_each_token_where_it_is", "has no pixel of tokens that may be hidden: 0"),
    (DrawsOneVersion, "shows_each_token_where_it_is", "of 3 versions draw_tokens makes 1 pictures"),
    (DrawsTokensThatAreNone, "shows_each_token_where_it_is", "token_HW of draw_tokens has numbers of no token"),
    (DrawsAtRandom, "shows_each_token_where_it_is", "draw_tokens draws equal values differently"),
    (ScalesEachVersion, "shows_each_token_where_it_is", "is the scale that of the first?"),
    (NamesTwo, "shows_each_token_where_it_is", "has to give a str for each of 7 tokens, and gives 2"),
    (ShowsAllSwapped, "shows_each_token_where_it_is", "swapped_tokens changes tokens that are not swapped"),
    (ShowsNoneSwapped, "shows_each_token_where_it_is", "swapped_tokens swaps nothing"),
]


@pytest.mark.parametrize(("wrong", "check", "says"), WRONG)
def test_what_is_wrong_is_found_and_said_and_nothing_else(wrong, check, says):
    failed, message = failures(check_encoder, wrong, Sequences(), WORDS if issubclass(wrong, RightOfWords) else VALUES)
    assert failed == {check}
    assert says in message


def test_every_check_has_an_encoder_that_it_finds_out():
    assert {check for _, check, _ in WRONG} == set(MASKED_ENCODER_CHECKS)
