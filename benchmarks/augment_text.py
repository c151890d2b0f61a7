"""What a view of a text costs: coview's steps, nlpaug's, and the shortest form in plain Python, in one process.

python benchmarks/augment_text.py

Prints microseconds of processor time for a sentence of 22 words, the best of five rounds, in which the contenders take
turns, and how many times the plain form each takes.
coview's number is with its seeding: the Rng is moved to the stream of (seed, epoch, sample, view) before every call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import coview
from coview_text.augment.nlpaug import nlpaug_augmenter
from coview_text.augment.random_deletion import RandomDeletion
from coview_text.augment.random_swap import RandomSwap

SENTENCE = (
    "We present a simple contrastive framework that greatly advances the state of the art of sentence embeddings, "
    "without any labels at all."
)
ROUNDS, CALLS = 5, 4000


def plain_deletion(text: str) -> str:
    words = text.split()
    draw = random.random
    kept = [word for word in words if draw() >= 0.1]
    return " ".join(kept or [random.choice(words)])


def plain_swap(text: str) -> str:
    words = text.split()
    for _ in range(2):
        i, j = random.sample(range(len(words)), 2)
        words[i], words[j] = words[j], words[i]
    return " ".join(words)


def microseconds(*calls: tuple[Callable[[int], object], int]) -> list[float]:
    """Of each call, which comes with how often it is called in a round."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, (call, count) in enumerate(calls):
            start = time.thread_time()
            for number in range(count):
                call(number)
            best[place] = min(best[place], (time.thread_time() - start) / count)
    return [seconds * 1e6 for seconds in best]


def main() -> None:
    rng = coview.Rng()
    print(f"{len(SENTENCE.split())} words; µs a sentence (times the plain form)")
    for name, plain, step, action in (
        ("random_deletion", plain_deletion, RandomDeletion(p=0.1), "delete"),
        ("random_swap", plain_swap, RandomSwap(share=0.1), "swap"),
    ):
        nlpaug = nlpaug_augmenter("RandomWordAug")(action=action, aug_p=0.1)
        base, ours, theirs, seeded = microseconds(
            (lambda _, plain=plain: plain(SENTENCE), CALLS),
            (lambda n, step=step: step(SENTENCE, rng.seek(0, 0, n, 0, 0)), CALLS),
            (lambda _, nlpaug=nlpaug: nlpaug.augmenter.augment(SENTENCE), CALLS // 10),
            (lambda n, nlpaug=nlpaug: nlpaug(SENTENCE, rng.seek(0, 0, n, 0, 0)), CALLS // 10),
        )
        print(
            f"{name:<16} plain {base:5.1f}   coview {ours:5.1f} ({ours / base:.1f})   "
            f"nlpaug {theirs:5.1f} ({theirs / base:.1f})   nlpaug through coview {seeded:5.1f} ({seeded / base:.1f})"
        )


if __name__ == "__main__":
    main()
