"""A run knows which code it ran: what has changed since is said, and its numbers are not taken for those of today."""

import json

import pytest

import coview
from coview.compare.cells import find_cells
from coview.experiment.code import _edited_in, _packages_of, changed_code, code_of, may_go_on, of_both
from coview.plugins.source_hash import source_hash
from coview.recipe.comparison import Comparison, ComparisonCell


@pytest.fixture
def encoder(own_run):
    """What the run's encoder is called in its environment."""
    (name,) = (name for name in code_of(own_run.recipe, own_run.registry) if name.startswith("encoder "))
    return name


def rewrite(run, **code):
    """As if the run had been started before a component was rewritten."""
    environment = json.loads(run.folder.environment.read_text())
    environment["code"] |= code
    run.folder.environment.write_text(json.dumps(environment))


def test_a_run_keeps_the_code_of_each_of_its_components(own_run):
    recorded = json.loads(own_run.folder.environment.read_text())["code"]
    assert recorded == code_of(own_run.recipe, own_run.registry)
    assert {name.split()[0] for name in recorded} >= {
        "dataset",
        "modality",
        "encoder",
        "projector",
        "loss",
        "optimizer",
        "schedule",
        "evaluator",
    }
    assert all(value.startswith(f"coview {coview.__version__} ") for value in recorded.values())
    assert changed_code(own_run.folder, own_run.recipe, own_run.registry) == []


def test_an_encoder_that_was_rewritten_is_named_and_its_run_is_no_cell(own_run, registry, tmp_path, encoder):
    cells = [ComparisonCell({"seed": "0"}, own_run.recipe)]
    compared = Comparison("mine", "", None, cells, tmp_path / "mine.toml")
    out = own_run.path.parents[1]
    assert find_cells(compared, out, registry)[0].run == own_run.folder
    now = code_of(own_run.recipe, registry)[encoder]
    rewrite(own_run, **{encoder: now[:-12] + "0" * 12})
    assert changed_code(own_run.folder, own_run.recipe, registry) == [f"{encoder}: the source has changed"]
    assert not may_go_on(out, own_run.recipe, registry)
    (found,) = find_cells(compared, out, registry)
    assert found.run is None
    assert found.outdated == f"{own_run.path} was made by other code: {encoder}: the source has changed"


def test_another_version_of_a_plugin_is_named(own_run, registry, encoder):
    rewrite(own_run, **{encoder: "coview 0.0.9 0123456789ab"})
    (changed,) = changed_code(own_run.folder, own_run.recipe, registry)
    assert changed == f"{encoder}: coview 0.0.9 → coview {coview.__version__}"


def test_a_run_of_an_earlier_version_counts(own_run, registry):
    environment = json.loads(own_run.folder.environment.read_text())
    del environment["code"]
    own_run.folder.environment.write_text(json.dumps(environment))
    assert changed_code(own_run.folder, own_run.recipe, registry) == []


def test_a_run_that_says_nothing_of_a_kind_of_components_counts_and_a_rewritten_optimiser_is_named(own_run, registry):
    environment = json.loads(own_run.folder.environment.read_text())
    code = environment["code"]
    environment["code"] = {name: of for name, of in code.items() if not name.startswith(("optimizer ", "schedule "))}
    own_run.folder.environment.write_text(json.dumps(environment))
    assert changed_code(own_run.folder, own_run.recipe, registry) == []
    rewrite(own_run, **{"optimizer core/sgd": "coview 0.0.9 0123456789ab"})
    (changed,) = changed_code(own_run.folder, own_run.recipe, registry)
    assert changed.startswith("optimizer core/sgd: coview 0.0.9 → ")


@pytest.mark.parametrize(("finished", "said"), [(True, "trained"), (False, "started")])
def test_going_on_with_it_says_so(own_run, registry, capsys, encoder, finished, said):
    rewrite(own_run, **{encoder: f"coview {coview.__version__} 0123456789ab"})
    if not finished:
        own_run.folder.results.unlink()
    coview.run(own_run.recipe, own_run.path.parents[1], resume=True, registry=registry)
    told = " ".join(capsys.readouterr().err.split())
    assert f"was {said} with other code: {encoder}: the source has changed" in told
    assert ("without --resume a new run starts" in told) == finished


def test_components_that_changed_alike_are_one_line(own_run, registry):
    now = code_of(own_run.recipe, registry)
    rewrite(own_run, **{name: code.replace(coview.__version__, "0.0.9") for name, code in now.items()})
    (changed,) = changed_code(own_run.folder, own_run.recipe, registry)
    assert changed == (
        f"{', '.join(sorted(now)[:3])} and {len(now) - 3} more: coview 0.0.9 → coview {coview.__version__}"
    )


@pytest.mark.parametrize(
    ("entry_point", "package"),
    [
        ("shop", "shop"),
        ("shop.plugin", "shop"),  # its parts import from shop.layers
        ("shop.plugins.coview", "shop"),
        ("coview_image", "coview_image"),
        ("coview.builtin", "coview.builtin"),
    ],
)
def test_a_plugin_is_its_whole_package_whichever_module_its_entry_point_names(entry_point, package):
    assert _packages_of(entry_point, "") == (package,)


def test_other_packages_of_the_same_distribution_are_the_plugins_own(tmp_path, monkeypatch):
    info = tmp_path / "thin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thin\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "thin_coview.py,,\nthick/__init__.py,,\nthick/nets.py,,\nthin-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert _packages_of("thin_coview", "thin") == ("thin_coview", "thick")


def test_all_packages_in_the_folder_of_an_editable_plugin_are_its_own(tmp_path, monkeypatch):
    """Its distribution lists none of them; what is installed below the folder, as in an environment, is none."""
    project = tmp_path / "project"
    installed = project / ".venv" / "lib" / "site-packages"
    files = {
        "src/edited_net.py": "import edited_parts.block, edited_library, json\nclass Net: pass\n",
        "src/edited_parts/block.py": "from edited_sizes import WIDTH\n",
        "src/edited_sizes/__init__.py": "WIDTH = 8\n",
        ".venv/lib/site-packages/edited_library.py": "x = 1\n",
        ".venv/lib/site-packages/edited-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: edited\nVersion: 1\n",
        ".venv/lib/site-packages/edited-1.dist-info/RECORD": "__editable__.edited.pth,,\n",
        ".venv/lib/site-packages/edited-1.dist-info/direct_url.json": json.dumps(
            {"url": project.as_uri(), "dir_info": {"editable": True}}
        ),
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    monkeypatch.syspath_prepend(installed)
    monkeypatch.syspath_prepend(project / "src")
    below = _edited_in("edited")
    assert below == project
    assert _edited_in("no-such-distribution") is _edited_in("pytest") is None

    def hashed():
        source_hash.cache_clear()
        return source_hash("edited_net:Net", "edited_net", below=below)

    found = [hashed()]
    for name in ("edited_parts/block.py", "edited_sizes/__init__.py"):
        (project / "src" / name).write_text(files[f"src/{name}"] + "more = 1\n")
        found.append(hashed())
    assert len({*found}) == 3
    (installed / "edited_library.py").write_text("x = 2\n")
    assert hashed() == found[-1]
    source_hash.cache_clear()


def test_a_run_that_went_on_with_other_code_is_of_neither(own_run, registry, encoder):
    now = code_of(own_run.recipe, registry)
    before = now | {encoder: f"coview {coview.__version__} 0123456789ab"}
    rewrite(own_run, **of_both(before, now))
    assert of_both(now, now) == now
    assert changed_code(own_run.folder, own_run.recipe, registry) == [
        f"{encoder}: the run has gone on with other code than it was started with"
    ]
    rewrite(own_run, **of_both(now, before))
    assert len(changed_code(own_run.folder, own_run.recipe, registry)) == 1


def test_what_uses_its_weights_is_warned(own_run, encoder):
    rewrite(own_run, **{encoder: f"coview {coview.__version__} 0123456789ab"})
    with pytest.warns(UserWarning, match=f"was trained with other code: {encoder}: the source has changed"):
        assert coview.load_run(own_run.path).encoder is not None
