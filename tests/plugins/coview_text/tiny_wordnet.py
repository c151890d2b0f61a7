"""A WordNet of a few words in WordNet's own file format, and a tagger that knows them: what tests have offline."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from coview_text.resources.tagger import NAME
from coview_text.resources.wordnet import lexnames

SYNSETS = [
    ("n", ["fox", "slyboots"]),
    ("n", ["fox", "dodger", "sly_one"]),
    ("v", ["fox", "flim-flam"]),
    ("v", ["leap", "jump", "spring"]),
    ("n", ["spring", "springtime"]),
    ("a", ["quick", "speedy", "fast"]),
    ("n", ["dog", "hound"]),
]
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
TAGS = {
    "fox": "NN",
    "jumped": "VBD",
    "quick": "JJ",
    "Quick": "JJ",
    "spring": "NN",
    "dogs": "NNS",
    "the": "DT",
    "leap": "VB",
}


def write_wordnet(data: Path) -> None:
    """Lays it out below ``data`` as ``coview data fetch wordnet`` does."""
    folder = data / "wordnet" / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    for part, name in FILES.items():
        text, offsets = "", defaultdict(list)
        for _, words in (synset for synset in SYNSETS if synset[0] == part):
            offset = len(text)
            named = " ".join(f"{word} 0" for word in words)
            frames = " 01 + 08 00" if part == "v" else ""
            text += f"{offset:08} 03 {part} {len(words):02x} {named} 000{frames} | a gloss  \n"
            for word in words:
                offsets[word].append(offset)
        (folder / f"data.{name}").write_text(text)
        lines = [
            f"{word} {part} {len(places)} 0 {len(places)} 0 {' '.join(f'{place:08}' for place in places)}  \n"
            for word, places in sorted(offsets.items())
        ]
        (folder / f"index.{name}").write_text("".join(lines))
        (folder / f"{name}.exc").write_text("")
    for name in ("cntlist.rev", "index.sense"):
        (folder / name).write_text("")
    (folder / "lexnames").write_text(lexnames())
    for path in folder.iterdir():
        path.chmod(0o644)


def write_tagger(data: Path) -> None:
    """Lays a tagger out as ``coview data fetch tagger`` does."""
    folder = data / "tagger"
    folder.mkdir(parents=True)
    for part, content in (("weights", {}), ("tagdict", TAGS), ("classes", ["DT", "JJ", "NN", "VB"])):
        (folder / f"{NAME}.{part}.json").write_text(json.dumps(content))
