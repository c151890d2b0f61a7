"""A training recipe with ``--set train.steps=0`` is a run like any other."""


def test_every_command_takes_the_run(call, write_recipe, small_recipe, tmp_path):
    recipe = write_recipe(small_recipe.replace("[train]", "[queue]\nsize = 64\n[train]"))
    made = call("run", recipe, "--set", "train.steps=0", "--out", "runs")
    assert made.status == 0, made.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    for command in (
        ["evaluate", run],
        ["evaluate", run, "--set", "evaluate.0.k=3"],
        ["export", run, "--to", "hf"],
        ["embed", run, "--out", "x.npy"],
        ["recipe", "check", run / "recipe.toml", "--build"],
        ["recipe", "show", run / "recipe.toml", "--resolved"],
        ["run", recipe, "--set", "train.steps=0", "--out", "runs", "--resume"],
    ):
        done = call(*command)
        assert done.status == 0, (command, done.err)
        assert "Traceback" not in done.err


def test_a_hint_names_what_the_data_can_serve(call, write_recipe, small_recipe):
    recipe = write_recipe(small_recipe)
    done = call("run", recipe, "--set", "train.steps=0", "--set", 'evaluate=[{use="similarity"}]')
    assert done.status == 2
    what, hint = done.err.splitlines()
    assert what.endswith('nothing can be measured on "digits": similarity: the data has no judged pairs')
    named = hint.split(" need, such as ")[0].removeprefix("  this data has what ").split(", ")
    assert "similarity" not in named
    assert {"knn", "linear_probe"} <= set(named)
    example = hint.split("--set ")[1].strip("'")
    assert call("run", recipe, "--set", "train.steps=0", "--set", example).status == 0
