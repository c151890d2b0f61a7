"""WordNet 3.0 from its Debian packages, laid out as NLTK reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import coview

_FILES = (
    *(f"{kind}.{part}" for kind in ("data", "index") for part in ("noun", "verb", "adj", "adv")),
    *(f"{part}.exc" for part in ("noun", "verb", "adj", "adv")),
    "cntlist.rev",
    "index.sense",
)
_LEXICOGRAPHERS = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object "
    "noun.person noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape "
    "noun.state noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession "
    "verb.social verb.stative verb.weather adj.ppl"
)
"""The 45 files that WordNet was written in, in the order of their numbers (lexnames(5WN))."""

_NUMBER = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


def fetch(folder: Path) -> None:
    """Writes ``corpora/wordnet`` into the folder."""
    target = folder / "corpora" / "wordnet"
    target.mkdir(parents=True)
    with coview.debian_files("wordnet-base", "wordnet-sense-index") as root:
        for name in _FILES:
            found = next(root.rglob(name), None)
            if found is not None:
                shutil.copyfile(found, target / name)
    missing = [name for name in _FILES if not (target / name).exists() and name != "cntlist.rev"]
    if missing:
        raise coview.CoviewError(f"the Debian packages of WordNet lack {', '.join(missing)}")
    (target / "cntlist.rev").touch()
    (target / "lexnames").write_text(lexnames())
    for path in target.iterdir():
        path.chmod(0o644)  # NLTK refuses what others could write to


def lexnames() -> str:
    """The table that NLTK wants and the packages lack: number, name, part of speech."""
    return "".join(
        f"{number:02}\t{name}\t{_NUMBER[name.split('.')[0]]}\n" for number, name in enumerate(_LEXICOGRAPHERS.split())
    )
