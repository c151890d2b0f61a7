"""From a masked view, and what was predicted of it, to what a person looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coview.data.token_mask import TokenLayout, TokenMask
from coview.experiment.masked_views import drawing, wording
from coview.experiment.masked_views.making import MaskedView
from coview.experiment.masked_views.predicting import Prediction
from coview.experiment.masked_views.states import said_of, states_of
from coview.model.masked_calls import token_layout, token_values
from coview.model.masked_encoder import TakesMask
from coview.model.shows_tokens import DrawsTokens, NamesTokens
from coview.track.shown_views import Panel, ShownView


@dataclass(frozen=True)
class Shower:
    """Shows views of one encoder.

    Attributes:
        encoder: Whose tokens they have.
        modality: Whose values.
    """

    encoder: TakesMask
    modality: Any

    def __call__(self, view: MaskedView, caption: str, prediction: Prediction | None = None) -> ShownView:
        """The view, what the encoder sees of it, and what was predicted.

        An encoder that neither draws nor names its tokens has numbers only.
        """
        layout = token_layout(self.encoder, view.batch).map_tensors(Tensor.cpu)
        mask = _nothing(layout) if view.mask is None else view.mask.map_tensors(Tensor.cpu)
        said = ["this view is not masked" if view.mask is None else said_of(mask)]
        if prediction is not None:
            said.append(prediction.said)
        with torch.no_grad():
            panels = list(self._panels(view, mask, prediction))
        if not panels:
            said.append(f"{type(self.encoder).__name__} has no way to show its tokens")
        return ShownView(caption, said, panels)

    def _panels(self, view: MaskedView, mask: TokenMask, prediction: Prediction | None) -> Iterator[Panel]:
        values = token_values(self.encoder, view.batch).detach().cpu()
        if isinstance(self.encoder, NamesTokens) and self.encoder.classes:
            yield from self._written(self.encoder, values, mask, prediction)
        elif isinstance(self.encoder, DrawsTokens) and self.encoder.value_width:
            yield from self._drawn(self.encoder, values.float(), mask, prediction)

    def _drawn(
        self, encoder: DrawsTokens, values_1TP: Tensor, mask: TokenMask, prediction: Prediction | None
    ) -> Iterator[Panel]:
        versions_STP = values_1TP
        if prediction is not None and prediction.values_TP is not None:
            versions_STP = torch.cat([values_1TP, prediction.values_TP[None]])
        drawn = encoder.draw_tokens(versions_STP, mask.layout, self.modality)
        states_T, token_HW, wanted_BT = states_of(mask), drawn.token_HW, mask.wanted_NBT[0].numpy()
        pixels_HW3 = drawn.pixels_SHW3[0]
        yield Panel("the view", drawing.whole(pixels_HW3, token_HW, states_T))
        yield Panel("what the encoder sees", drawing.masked(pixels_HW3, token_HW, states_T, wanted_BT))
        if prediction is None:
            return
        if prediction.values_TP is not None:
            made = drawing.predicted(drawn.pixels_SHW3[1], token_HW, states_T, wanted_BT)
            yield Panel("predicted, beside what was seen", made)
        if prediction.scores is not None:
            heat = drawing.heat(pixels_HW3, token_HW, states_T, prediction.scores)
            yield Panel(f"{prediction.score_is}: dark is 0, bright is 1", heat)

    def _written(
        self, encoder: NamesTokens, values_1T: Tensor, mask: TokenMask, prediction: Prediction | None
    ) -> Iterator[Panel]:
        words_NT = mask.layout.words_NT
        words = wording.words_of(
            encoder.token_names(values_1T[0]),
            encoder.token_names(encoder.swapped_tokens(values_1T, mask)[0]),
            states_of(mask),
            None if words_NT is None else words_NT[0].numpy(),
        )
        marked = wording.masked_html(words), wording.masked_markdown(words)
        yield Panel("what the encoder sees", markup=marked[0], markdown=marked[1])
        if prediction is None:
            return
        if prediction.guesses is not None:

            def name(number: int) -> str:
                return encoder.token_names(torch.tensor([number]))[0]

            guesses = prediction.guesses
            table, markdown = wording.guesses_html(words, guesses, name), wording.guesses_markdown(words, guesses, name)
            yield Panel("what is predicted", markup=table, markdown=markdown)
        if prediction.scores is not None:
            title = f"{prediction.score_is}: dark is 0, bright is 1"
            yield Panel(title, markup=wording.scored_html(words, prediction.scores))


def _nothing(layout: TokenLayout) -> TokenMask:
    """Of a view that is not masked."""
    none_NT = torch.zeros_like(layout.real_NT)
    return TokenMask(layout, none_NT, none_NT, none_NT[:, None], "replace")
