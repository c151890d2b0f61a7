"""The command line parses, calls and prints; lists come as JSON too; nothing heavy is imported before it is needed."""

import json
import os
import signal
import subprocess
import sys
import tomllib

import click
import pytest

import coview
from forked import Forked

HEAVY = ("torch", "numpy", "sklearn", "scipy", "transformers", "timm", "albumentations", "matplotlib", "accelerate")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plugins", "list"], ["plugins", "list", "--json"],
                                       ["recipe", "list"], ["--version"]], ids=" ".join)  # fmt: skip
def test_nothing_heavy_is_imported_to_print_a_list(arguments):
    code = (
        "import sys\nfrom coview.cli.main import _run\n"
        f"status = _run({arguments!r}, False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
    assert done.stdout


def test_the_module_and_the_script_are_one_command():
    done = subprocess.run([sys.executable, "-m", "coview", "--version"], capture_output=True, text=True)
    assert done.stdout == f"coview, version {coview.__version__}\n"


def test_every_command_has_a_help_page_that_says_what_it_does(call):
    from coview.cli.main import cli

    def walk(command, path):
        done = call(*path, "--help")
        assert done.status == 0
        assert done.out.startswith(f"Usage: coview {' '.join(path)}".rstrip())
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{path}: {parameter.name} has no help"
        for name, inner in getattr(command, "commands", {}).items():
            short = inner.get_short_help_str(limit=60)
            assert not short.endswith("..."), f"{name}: {short}"
            walk(inner, [*path, name])

    walk(cli, [])


# ---- plugins -------------------------------------------------------------------------------------------------------


def test_plugins_list(call, registry):
    done = call("plugins", "list")
    for plugin in registry.plugins:
        assert f"{plugin.name}  {plugin.status}  ({plugin.distribution} {plugin.version}, {plugin.module})" in done.out
    for component in registry.components:
        assert component.summary in done.out
    listed = json.loads(call("plugins", "list", "--json").out)
    assert [row["qualified"] for row in listed["components"]] == [c.qualified for c in registry.components]
    assert [row["name"] for row in listed["plugins"]] == [plugin.name for plugin in registry.plugins]


@pytest.mark.parametrize(
    "kind", ["modality", "dataset", "augmentation", "encoder", "projector", "predictor", "loss", "evaluator"]
)
def test_plugins_show_has_a_page_for_each_component(call, registry, kind):
    components = registry.of_kind(kind)
    assert components
    for component in components:
        if component.example.startswith("hf:"):  # asks the hub
            continue
        name = component.example if component.is_family else component.qualified
        pages = json.loads(call("plugins", "show", name, "--json").out)["components"]
        of_kind = [page for page in pages if page["kind"] == kind]  # a name may serve several kinds, and modalities
        (page,) = (page for page in of_kind if page["qualified"] == component.qualified)
        assert "error" not in page
        assert page["doc"]
        assert all(parameter["doc"] for parameter in page["parameters"]), name
        shown = call("plugins", "show", name)
        assert shown.status == 0
        assert f"{kind} {component.qualified}: {component.summary}\n" in shown.out
        for parameter in page["parameters"]:
            assert f"\n  {parameter['name']}  {parameter['type']}" in shown.out


def test_plugins_show_names_coviews_own_keys_of_the_table(call):
    shown = {name: call("plugins", "show", name).out for name in ("image/color_jitter", "nt_xent", "core/uniform")}
    assert shown["image/color_jitter"].endswith("\nin the same table, coview's own: views, on, shared\n")
    assert shown["nt_xent"].endswith("\nin the same table, coview's own: weight, prefixes, between\n")
    assert "coview's own" not in shown["core/uniform"]


def test_plugins_show_of_a_plugin(call):
    assert call("plugins", "show", "core").out.startswith("plugin core: ok\ncoview ")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nt_xnt", 'there is no plugin or component "nt_xnt", did you mean "nt_xent"?'),
        ("core/kn", 'did you mean "core/knn"?'),
        (
            "timm",
            '"timm" lacks a name after the colon, such as "timm:efficientnet_b0" or "timm:lion" or "timm:convnext_atto"',
        ),
        ("timm:", '"timm:" lacks a name after the colon'),
        ("tim:x", 'did you mean "timm:x"?'),
        ("knn:5", '"knn:5": "knn" is a single evaluator and takes no name after a colon'),
        ("", "there is no plugin or component"),
    ],
)
def test_plugins_show_of_nothing(call, name, says):
    done = call("plugins", "show", name)
    assert (done.status, done.out) == (2, "")
    assert says in done.err


def test_a_name_that_the_library_does_not_know_is_said_on_its_page(call):
    done = call("plugins", "show", "albumentations:posterize")
    assert 'cannot be used: albumentations has no transform of pictures "posterize"' in done.out
    assert 'did you mean "Posterize"?' in done.out


# ---- recipes -------------------------------------------------------------------------------------------------------


def test_recipe_list(call, write_recipe, tmp_path):
    assert "quickstart.toml" in call("recipe", "list").out
    write_recipe("# What it is.\nname = 'x'\n", "mine/a.toml")
    write_recipe("= 3", "mine/b.toml")
    assert call("recipe", "list", "mine").out == f"a.toml  What it is.\nb.toml  {call_error(tmp_path)}\n"
    rows = json.loads(call("recipe", "list", "mine", "--json").out)
    assert (rows[0]["name"], rows[0]["about"]) == ("x", "What it is.")


def call_error(tmp_path):
    return "mine/b.toml:1: is not valid TOML: Invalid statement"


def test_recipe_show_merges(call, write_recipe):
    child = write_recipe('extends = "recipe.toml"\nname = "child"\n', "child.toml")
    write_recipe()
    table = tomllib.loads(call("recipe", "show", child, "--set", "loss.temperature=0.3").out)
    assert (table["name"], table["loss"], table["optimizer"]["lr"]) == (
        "child",
        {"use": "nt_xent", "temperature": 0.3},
        0.05,
    )
    assert "channels" not in table["encoder"]


def test_recipe_show_resolved_is_a_recipe_of_the_same_hash(call, write_recipe):
    resolved = call("recipe", "show", write_recipe(), "--resolved").out
    assert tomllib.loads(resolved)["encoder"]["channels"] == 3
    again = write_recipe(resolved, "again.toml")
    first, second = (call("recipe", "check", path).out.split("hash ")[1] for path in (write_recipe(), again))
    assert first == second
    assert call("recipe", "diff", write_recipe(), again).out == ""
    assert json.loads(call("recipe", "show", again, "--json").out) == tomllib.loads(resolved)


def test_recipe_show_origin(call, write_recipe):
    child = write_recipe('extends = "recipe.toml"\nname = "child"\n', "child.toml")
    parent = write_recipe()
    arguments = ["recipe", "show", child, "--resolved", "--origin", "--set", "optimizer.lr=0.1"]
    lines = dict(line.rsplit("  ", 1) for line in call(*arguments).out.splitlines())
    lines = {key.strip(): where.strip() for key, where in lines.items()}
    assert lines['name = "child"'] == f"{child}:2"
    assert lines["seed = 3"] == f"{parent}:3"
    assert lines["optimizer.lr = 0.1"] == "--set"
    assert lines["encoder.channels = 3"] == "(default)"
    assert lines["augment.0.size = 8"].startswith(f"{parent}:")
    rows = json.loads(call(*arguments, "--json").out)
    assert {"value": 'name = "child"', "origin": f"{child}:2"} in rows


@pytest.mark.parametrize("options", [[], ["--json"], ["--origin"], ["--origin", "--json"]])
def test_recipe_show_of_what_is_no_valid_recipe_still_shows_it(call, write_recipe, options):
    done = call("recipe", "show", write_recipe('seed = 1979-05-27\n"²" = [1, {a = nan}]\n'), *options)
    assert done.status == 0
    assert "1979-05-27" in done.out
    assert "²" in done.out


SWEEP = '\n[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\nseed = [1, 2]\n'


def test_recipe_show_cell(call, write_recipe, small_recipe):
    path = write_recipe(small_recipe + SWEEP)
    cells = [tomllib.loads(call("recipe", "show", path, "--cell", n).out) for n in (1, 2, 3, 4)]
    assert [(c["loss"]["temperature"], c["seed"]) for c in cells] == [(0.1, 1), (0.1, 2), (0.5, 1), (0.5, 2)]
    assert all("sweep" not in cell for cell in cells)
    assert f"{path} has a sweep of 4 cells: there is no cell 5" in call("recipe", "show", path, "--cell", 5).err
    assert "has no sweep: there is no cell 1" in call("recipe", "show", write_recipe(), "--cell", 1).err


def test_recipe_check(call, write_recipe, small_recipe):
    good, sweep = write_recipe(), write_recipe(small_recipe + SWEEP, "sweep.toml")
    done = call("recipe", "check", good, sweep)
    assert (done.status, done.err) == (0, "")
    assert [line.split(" (hash")[0] for line in done.out.splitlines()] == [f"{good}: ok", f"{sweep}: ok"]
    assert "4 cells" in done.out
    bad = write_recipe(small_recipe.replace("seed = 3", "seed = -3"), "bad.toml")
    done = call("recipe", "check", bad, good)
    assert done.status == 2
    assert done.out.startswith(f"{good}: ok")
    assert done.err == f"error: {bad}:3: seed: has to be greater than or equal to 0, got -3\n"
    assert (
        "warning: --set: teacher.momentum has no effect"
        in call("recipe", "check", good, "--set", "teacher={stop_gradient=true, momentum=0.9}").out
    )


def test_a_mistake_of_a_parent_is_told_once(call, write_recipe, small_recipe):
    parent = write_recipe(small_recipe.replace("seed = 3", "seed = -3"), "parent.toml")
    child = write_recipe('extends = "parent.toml"\nname = 5\n', "child.toml")
    assert call("recipe", "check", parent, child).err.splitlines() == [
        f"error: {parent}:3: seed: has to be greater than or equal to 0, got -3",
        f"{child}: the same as above: seed",
        f"{child}:2: name: has to be a string, got 5: without quotes it is a number to TOML, write it in quotes",
    ]


def test_recipe_check_build(call, write_recipe):
    done = call("recipe", "check", write_recipe(), "--build")
    assert done.status == 0, done.err
    assert "6 steps" in done.out
    assert "projections 2 × 4 × 8" in done.out


def test_recipe_check_names_the_recipe_of_each_error(call, write_recipe, small_recipe):
    """Whether what is wrong shows in a key, or only when it is built."""
    first, second = write_recipe(), write_recipe(small_recipe.replace('name = "small"', 'name = "other"'), "other.toml")
    key = write_recipe(small_recipe.replace("seed = 3", "seed = -3"), "key.toml")
    done = call("recipe", "check", first, key, second, "--build", "--set", "encoder.channels=1")
    assert done.status == 2
    starts = [line.split(": ")[0] for line in done.err.removeprefix("error: ").splitlines()]
    assert starts == [f"{first}:14", f"{key}:3", f"{second}:14"]
    assert done.err.count('the encoder "resnet18" does not take the batch') == 2


def test_recipe_diff(call, write_recipe, small_recipe):
    other = write_recipe(small_recipe.replace("k = 5", "k = 7") + '[[evaluate]]\nuse = "knn"\n', "other.toml")
    lines = call("recipe", "diff", write_recipe(), other).out.splitlines()
    assert "evaluate.0.k: 5 → 7" in lines
    assert 'evaluate.1.use: (absent) → "knn"' in lines
    assert all(line.startswith("evaluate.") for line in lines)


def test_recipe_schema(call, tmp_path):
    assert call("recipe", "schema", "--out", "schema.json").status == 0
    written = json.loads((tmp_path / "schema.json").read_text())
    assert json.loads(call("recipe", "schema").out) == written
    without = json.loads(call("--no-plugin", "losses", "--no-plugin", "core", "recipe", "schema").out)
    assert without["$defs"]["loss"]["properties"]["use"] == {"anyOf": [{"enum": []}]}


def test_doctor(call, registry):
    report = json.loads(call("doctor", "--json").out)
    assert {name for plugin in registry.plugins for name in [plugin.name]} <= set(
        json.dumps(report).replace('"', " ").split()
    )
    assert call("doctor").status == 0


def test_a_dry_run_leaves_nothing(call, write_recipe, tmp_path):
    done = call("run", write_recipe(), "--dry-run")
    assert done.status == 0, done.err
    assert done.out.startswith("small (hash ")
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


# ---- streams -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["plugins", "list"], ["plugins", "list", "--json"], ["--help"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_mistake(start, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = start(*arguments, stdout=writer)
    os.close(writer)
    assert (done.status, done.err) == (0, "")


@pytest.mark.usefixtures("forks")
def test_a_run_whose_reader_goes_away_is_whole(write_recipe, tmp_path):
    """``coview run 2>&1 | head``: what is on disk is all there, and nothing went wrong."""
    run = Forked(["coview", "run", str(write_recipe())], tmp_path)
    for stream in run.streams:
        stream.close()
    run.process.join(120)
    assert run.process.exitcode == 0
    (folder,) = tmp_path.glob("runs/small/*")
    assert (folder / "report.html").is_file()


@pytest.mark.usefixtures("forks")
def test_ctrl_c_through_a_pipe_leaves_a_checkpoint(write_recipe, small_recipe, tmp_path):
    """``coview run 2>&1 | tee log``: Ctrl-C ends tee first, and nobody reads what is said of it."""
    recipe = write_recipe(small_recipe.replace("steps = 6", "steps = 100000"))
    run = Forked(["coview", "run", str(recipe), "--out", "runs"], tmp_path, together=True)
    (reader,) = run.streams
    assert any("step 1/" in line for line in reader)
    reader.close()
    os.kill(run.process.pid, signal.SIGINT)
    run.process.join(60)
    assert run.process.exitcode == 130
    assert list(tmp_path.glob("runs/small/*/checkpoints/last"))


def test_home_is_written_out(call, write_recipe, tmp_path, monkeypatch):
    """``--out=~/runs`` and COVIEW_DATA=~/data, which a shell leaves as they are."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    done = call("run", write_recipe(), "--out=~/runs")
    assert done.status == 0, done.err
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir()] == ["small"]
    monkeypatch.setenv("COVIEW_DATA", "~/data")
    listed = call("data", "list")
    assert listed.status == 0, listed.err
    assert "~" not in listed.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "recipe.toml"]


def test_a_user_without_a_home_is_told_what_to_set(fork_command, tmp_path):
    nobody = "import os, pwd\nos.environ.pop('HOME', None)\npwd.getpwuid = lambda uid: {}['no such user']"
    # both commands by one process, for doctor imports every library
    list_data = "from coview.cli.main import _run\nimport sys\n_run(['data', 'list'], False)"
    then = "for stream in (sys.stdout, sys.stderr): print('---- doctor', file=stream, flush=True)"
    done = fork_command(
        "doctor", before=f"{nobody}\n{list_data}\n{then}", XDG_CACHE_HOME="", COVIEW_DATA="", HF_HOME=""
    )
    assert "Traceback" not in done.err
    for out, err in zip(done.out.split("---- doctor"), done.err.split("---- doctor"), strict=True):
        assert "there is no home folder to keep data in" in out + err
        assert "COVIEW_DATA" in out + err


def test_a_terminal_that_lacks_a_character_shows_its_code(start):
    done = start("plugins", "show", "mlp", PYTHONIOENCODING="iso8859-1")
    assert (done.status, done.err) == (0, "")
    assert "\\u2026" in done.out
