"""``[[callback]]`` in a recipe: its mistakes, and which callbacks are in the hash."""

from __future__ import annotations

import pytest

import coview
from conftest import SMALL
from example_callbacks import with_callbacks

BARE = SMALL.split("[[evaluate]]")[0]


@pytest.fixture(scope="module")
def known(registry):
    return with_callbacks(registry)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('use = "not_a_callback"', 'callback.0.use: "not_a_callback" makes a object, which is not a coview.Callback'),
        (
            'use = "diary"\nchanges_run = true',
            'callback.0.changes_run: cannot be chosen in a recipe: "diary" changes noth',
        ),
        ('use = "stopsat"\nchanges_run = false', '"stopsat" changes the run; leave it out'),
        ('use = "stopsat"\nstep = "x"', "callback.0.step: has to be an integer"),
        ('use = "stopat"', 'callback.0.use: unknown callback "stopat", did you mean "stopsat"?'),
        ('metric = "loss"', "callback.0.use: is missing; it names the callback"),
        ('use = "early_stopping"\nmetric = "spread"', 'give mode = "max" or "min"'),
        ('use = "early_stopping"\nmetric = "samples_per_s"', "no two runs would stop at the same step"),
    ],
)
def test_mistakes_of_a_recipe(known, tmp_path, table, says):
    (tmp_path / "r.toml").write_text(f"{BARE}\n[[callback]]\n{table}\n")
    with pytest.raises(coview.RecipeError) as caught:
        coview.load_recipe(tmp_path / "r.toml", registry=known)
    assert says in str(caught.value)


def test_the_hash_has_what_changes_the_run_and_how_often_that_is_told_of_it(known, tmp_path):
    def hash_of(*tables, **changed):
        text = BARE + "".join(f"\n[[callback]]\n{table}\n" for table in tables)
        (tmp_path / "r.toml").write_text(text)
        return coview.load_recipe(tmp_path / "r.toml", overrides=changed, registry=known).hash

    stops = 'use = "stopsat"'
    assert hash_of() == hash_of('use = "diary"') == hash_of(**{"train.log_every": 3})
    assert hash_of() != hash_of(stops) != hash_of(f"{stops}\nstep = 4")
    assert hash_of(stops) == hash_of('use = "diary"', stops)
    assert hash_of(stops) != hash_of(stops, **{"train.log_every": 3})
