"""Tokens of a vocabulary, written out with what is hidden of them, and what was predicted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coview.experiment.masked_views.drawing import HIDDEN, heat_colour
from coview.experiment.masked_views.predicting import GUESSES, Guess
from coview.experiment.masked_views.states import State

_LISTED = 12
"""Predictions of a view that are listed; the rest are counted."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")


@dataclass(frozen=True)
class Word:
    """A token that is written out.

    Attributes:
        token: Its number in the view.
        name: What it is called.
        shown: What the encoder sees in its place.
        state: What the mask does to it.
        begins: Whether there is a gap before it.
    """

    token: int
    name: str
    shown: str
    state: State
    begins: bool


def words_of(names: Sequence[str], shown: Sequence[str], states_T: np.ndarray, word_T: np.ndarray | None) -> list[Word]:
    """The real tokens in their order.

    Args:
        names: Of all tokens.
        shown: Of what the encoder sees.
        states_T: What the mask does to each.
        word_T: The word that each is of, -1 for none; absent: each is of its own.
    """
    words = []
    for token, state in enumerate(states_T.tolist()):
        if state != State.PADDING:
            apart = word_T is None or token == 0 or word_T[token] < 0 or word_T[token] != word_T[token - 1]
            words.append(Word(token, names[token], shown[token], State(state), bool(apart)))
    return words


def masked_html(words: Iterable[Word]) -> str:
    """The tokens: hidden ones struck out on grey, kept ones underlined, swapped ones beside what is seen for them."""
    return _joined(words, _word_html)


def masked_markdown(words: Iterable[Word]) -> str:
    """The same for TensorBoard: struck out; kept ones in italics; what is seen for a swapped one in bold."""

    def one(word: Word) -> str:
        name = escaped(word.name)
        if word.state is State.HIDDEN:
            return f"~~{name}~~" if name else ""
        if word.state is State.SWAPPED:
            return f"~~{name}~~ **{escaped(word.shown)}**"
        return f"*{name}*" if word.state is State.KEPT else name

    return _joined(words, one)


def scored_html(words: Iterable[Word], scores: Mapping[int, float]) -> str:
    """The tokens, those that are predicted on a colour by their score."""

    def one(word: Word) -> str:
        if word.token not in scores:
            return html.escape(word.name)
        score = scores[word.token]
        paper = "#{:02x}{:02x}{:02x}".format(*heat_colour(score).round().astype(int))
        ink = "#000" if score > 0.5 else "#fff"
        style = f"background-color: {paper}; color: {ink}"
        return f'<span style="{style}" title="{score:.3f}">{html.escape(word.name)}</span>'

    return _joined(words, one)


def guesses_html(words: Iterable[Word], guesses: Mapping[int, Guess], names: Callable[[int], str]) -> str:
    """A table: each token that is predicted, how likely it was, and what is most likely in its place."""
    heads = ("was", "with probability", "predicted", *[""] * (GUESSES - 1))
    rows = []
    for word, guess in _listed(words, guesses):
        tokens = [f"{html.escape(names(number))} <small>{likely:.3f}</small>" for number, likely in guess.tokens]
        rows.append("".join(f"<td>{cell}</td>" for cell in (html.escape(word.name), f"{guess.right:.3f}", *tokens)))
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    more = len(guesses) - len(rows)
    after = f"<p>and {more} more</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{after}"


def guesses_markdown(words: Iterable[Word], guesses: Mapping[int, Guess], names: Callable[[int], str]) -> str:
    """The same for TensorBoard: of each token the most likely one."""
    lines = ["| was | with probability | predicted | |", "| --- | --- | --- | --- |"]
    for word, guess in _listed(words, guesses):
        number, likely = guess.tokens[0]
        lines.append(f"| {escaped(word.name)} | {guess.right:.3f} | {escaped(names(number))} | {likely:.3f} |")
    return "\n".join(lines)


def escaped(name: str) -> str:
    """As Markdown that shows it, in one line."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(name.split()), quote=False))


def _listed(words: Iterable[Word], guesses: Mapping[int, Guess]) -> Iterator[tuple[Word, Guess]]:
    found = [(word, guesses[word.token]) for word in words if word.token in guesses]
    yield from found[:_LISTED]


def _word_html(word: Word) -> str:
    name, paper = html.escape(word.name), "#{:02x}{:02x}{:02x}".format(*HIDDEN)
    if word.state is State.HIDDEN:
        return f'<del style="background-color: {paper}; color: #fff" title="hidden">{name}</del>'
    if word.state is State.KEPT:
        return f'<u style="background-color: #cfe0ff; color: #000" title="kept">{name}</u>'
    if word.state is State.SWAPPED:
        style = "background-color: #ffd0ee; color: #000"
        instead = f'<ins style="{style}" title="seen in its place">{html.escape(word.shown)}</ins>'
        return f'<del title="swapped">{name}</del>{instead}'
    return name


def _joined(words: Iterable[Word], one: Callable[[Word], str]) -> str:
    return "".join((" " if word.begins else "") + one(word) for word in words).strip()
