"""Writes ``docs/methods.md``: every recipe of a published method, and where it is not as its authors have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import coview
from coview.recipe.published import Published, departures, published_of
from coview.recipe.recipe import Recipe
from coview.recipe.shipped import recipe_files, shipped_folder

INTRO = """\
# Methods

A method is a recipe: a loss, [what stands around the encoder](around-the-encoder.md), and augmentations. What the
authors of each have set is recorded in `recipes/published/`, by the keys of a recipe, with the repository, the
revision and the files that were read; `coview recipe diff --paper RECIPE` prints [where a recipe is
otherwise](around-the-encoder.md#held-against-the-paper), yours too. `recipes/image/methods/` has most of them in the
size of a CPU, and [their results](results/methods.md) stand side by side.

## At a glance
"""

DIFFERS = """\
## Where they are not as published

A setting that is not named here is as the authors have it. Where several settings of one method are published, each
has a recipe.
"""

RESULTS = """\
## Numbers to be reproduced

`recipes/reproduce/` has recipes in others' settings, each with a number that they have published:

```sh
make reproduce NAME=cifar-10-simclr
```

runs it with several seeds and says whether it comes to that number: reproduced is what is not worse by more than the
tolerance, by the 95 % interval of the mean over seeds. **None of these has been run in full yet**: each takes a GPU,
and data from the hub or of yours. They take their first steps on data of the same form in the tests. Hours that are an
estimate say so.

`sts-simcse` reports the weights that are best on the validation split of STS-B, as its authors do
([`step = "best"`](command-line.md#coview-reproduce-recipe)). The two of Speech Commands learn on AudioSet: give a
folder of its training clips, which no package brings. Both take the words' official splits from a table:

```text
import csv
from pathlib import Path

root = Path("speech-commands")
listed = {
    path: part
    for part, name in (("validation", "validation_list.txt"), ("test", "testing_list.txt"))
    for path in (root / name).read_text().split()
}
with open(root / "speech-commands.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(("path", "word", "speaker", "part"))
    for sound in sorted(root.glob("[a-z]*/*.wav")):
        path = sound.relative_to(root).as_posix()
        table.writerow((path, sound.parent.name, sound.name.partition("_nohash_")[0], listed.get(path, "train")))
```

```text
coview reproduce recipes/reproduce/speech-commands-byol-a.toml --set data.root=audioset \\
  --set evaluate.0.data.root=speech-commands --set evaluate.0.data.labels=speech-commands/speech-commands.csv
```

For ESC-50 there is no recipe: neither the code of BYOL-A's authors nor that of COLA's has a number for it.

There is no recipe of DenoSent (arXiv:2401.13621): its decoder predicts the tokens of another text than the encoder
has read (the original of a back translation), and a decoder here sees only the tokens of its own view.
"""


def methods_page(registry: coview.Registry) -> str:
    """The page, as Markdown."""
    folder = shipped_folder()
    assert folder is not None
    files = [path for path in recipe_files(folder) if "compare" not in path.relative_to(folder).parts]
    recipes = {_name(path, folder): coview.load_recipe(path, registry=registry) for path in files}
    published = {name: found for name, recipe in recipes.items() if (found := published_of(recipe)) is not None}
    own = {name: found for name, found in published.items() if _names_its_own(recipes[name], name, folder)}
    parts = [INTRO, "\n".join(_overview(recipes, own)), DIFFERS]
    parts += ["\n".join(_difference(name, recipes[name], found)) for name, found in own.items()]
    parts += [RESULTS, "\n".join(_results(recipes))]
    return "\n".join(parts)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _names_its_own(recipe: Recipe, name: str, folder: Path) -> bool:
    """Whether the file itself says which record it is held against: its children are of other sizes."""
    assert recipe.paper is not None
    return f'record = "{recipe.paper.record}"' in (folder / f"{name}.toml").read_text(encoding="utf-8")


def _overview(recipes: dict[str, Recipe], published: dict[str, Published]) -> Iterator[str]:
    yield "| recipe | of | loss | predictor | target branch | queue | local views | hidden |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, found in published.items():
        recipe = recipes[name]
        losses = ", ".join(f"[`{term.use}`](reference/losses.md)" for term in recipe.loss) if recipe.trains else ""
        cells = [f"`{name}`", f"{found.title} · {_link(found)}", losses, "yes" if recipe.predictor else ""]
        cells += [_target(recipe), f"{recipe.queue.size:,}" if recipe.queue else "", _local(recipe), _hidden(recipe)]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _target(recipe: Recipe) -> str:
    if recipe.teacher is None:
        return ""
    if recipe.teacher.averages:
        return "moving average"
    return "stop-gradient" if recipe.teacher.stop_gradient else f"`{recipe.teacher_encoder.use}`"


def _local(recipe: Recipe) -> str:
    count = len(recipe.view_modalities) - recipe.global_views
    return str(count) if count else ""


def _hidden(recipe: Recipe) -> str:
    return "" if recipe.mask is None else f"`{recipe.mask.use}`"


def _difference(name: str, recipe: Recipe, published: Published) -> Iterator[str]:
    assert recipe.paper is not None
    of_code = f"https://github.com/{published.code}"
    read = ", ".join(
        f"[{file}]({of_code}/blob/{published.revision}/{file})" if published.code else file for file in published.files
    )
    code = f"[{published.code}]({of_code}) at {published.revision}: " if published.code else ""
    yield f"### `{name}`\n"
    yield f"{published.title} · {_link(published)} · {code}{read}\n"
    found = departures(recipe, published)
    if found:
        yield "| key | published | here | why |"
        yield "|---|---|---|---|"
        for departure in found:
            value, given = departure.in_words
            yield f"| `{departure.key}` | {value} | {given} | {departure.reason or '**not declared**'} |"
        yield ""
    else:
        yield f"All of the {len(published.settings)} settings that are recorded are as published.\n"
    for sentence in recipe.paper.besides:
        yield f"- {sentence}"
    if recipe.paper.besides:
        yield ""


def _results(recipes: dict[str, Recipe]) -> Iterator[str]:
    yield "| recipe | number | published | tolerance | seeds | hours of a run | source |"
    yield "|---|---|---|---|---|---|---|"
    for name, recipe in recipes.items():
        result = None if recipe.paper is None else recipe.paper.result
        if result is None:
            continue
        hours = "not known" if result.hours is None else f"{result.hours:g}, {result.card}"
        cells = [f"`{name}`", f"`{result.metric}`", f"{result.value:g}", f"{result.tolerance:g}", str(result.seeds)]
        yield f"| {' | '.join([*cells, hours, result.source])} |"
    yield ""


def _link(published: Published) -> str:
    number = published.paper.removeprefix("arXiv:").partition(",")[0]
    return f"[{published.paper}](https://arxiv.org/abs/{number})"
