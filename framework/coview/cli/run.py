"""``coview run``, ``evaluate``, ``embed`` and ``export``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from coview.cli.completing import ComponentName, RecipeName
from coview.cli.launch_options import launch_set_option, launcher_option
from coview.cli.output import print_json, say
from coview.cli.recipe import set_option
from coview.cli.step import step_option
from coview.cli.user_path import UserPath
from coview.errors import CoviewError

if TYPE_CHECKING:
    from coview.experiment.run import Run
    from coview.plugins.registry import Registry
    from coview.recipe.recipe import Recipe

modality_option = click.option(
    "--modality",
    metavar="NAME",
    help="The modality whose encoder is used, in a run of several modalities; the first by default.",
)


@click.command()
@click.argument("recipe", metavar="RECIPE", type=RecipeName())
@set_option
@click.option("--resume", is_flag=True, help="Continue the latest run of this recipe, if there is one.")
@click.option("--out", default="runs", show_default=True, type=UserPath(), help="Folder of runs.")
@click.option("--dry-run", is_flag=True, help="Check the recipe, build it, and say what would be done.")
@launcher_option("Where the run is computed. On a cluster it goes on with the latest unfinished run, as with --resume.")
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1), help="Machines of the cluster.")
@click.option("--per-node", type=click.IntRange(1), help="Processes on each; by default one for each GPU.")
@click.option(
    "--restarts",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="How often a run whose process died goes on.",
)
@launch_set_option
@click.pass_obj
def run(
    disabled: tuple[str, ...],
    recipe: str,
    sets: tuple[str, ...],
    resume: bool,
    out: Path,
    dry_run: bool,
    launcher: str,
    nodes: int,
    per_node: int | None,
    restarts: int,
    settings: tuple[str, ...],
) -> None:
    """Pretrain, evaluate beside the controls, and report."""
    from coview.plugins.discovery import load_plugins
    from coview.recipe.comparison import is_comparison_of_several
    from coview.recipe.load import load_recipe

    registry = load_plugins(disable=disabled)
    if is_comparison_of_several(recipe):
        raise CoviewError(
            f"{recipe} compares several recipes, and coview run runs a single one", hint=f"coview compare {recipe}"
        )
    valid = load_recipe(recipe, registry, sets=sets)
    if dry_run:
        from coview.experiment.trial import try_out

        click.echo(f"{valid.name} (hash {valid.hash[:6]}): {try_out(valid, registry)}")
        return
    if launcher != "local":
        _run_on_nodes(valid, registry, out, launcher, (nodes, per_node, restarts), settings)
        return
    if nodes > 1 or per_node or restarts or settings:
        raise CoviewError(
            "--nodes, --per-node, --restarts and --launch-set are for --launcher slurm and ray",
            hint="several processes on this machine: torchrun --nproc-per-node 2 -m coview run …",
        )
    from coview.experiment.run import run as start

    done = start(valid, out, registry=registry, resume=resume)
    if done.leads:
        _print_run(done)


def _run_on_nodes(
    recipe: Recipe,
    registry: Registry,
    out: Path,
    launcher: str,
    sizes: tuple[int, int | None, int],
    settings: tuple[str, ...],
) -> None:
    from coview.experiment.run import load_run
    from coview.launch.on_nodes import NodeLauncher, RunOnNodes, write_recipe
    from coview.recipe.override import parse_set

    folder = out.absolute() / launcher
    asked = RunOnNodes(write_recipe(recipe, folder), out.absolute(), *sizes, registry.disabled)
    made: NodeLauncher
    if launcher == "slurm":
        from coview.launch.slurm_nodes import SlurmNodes

        made = SlurmNodes(folder, parse_set(settings), say)
    else:
        from coview.launch.ray_nodes import RayNodes

        made = RayNodes(folder, parse_set(settings), say)
    made.run(asked)
    _print_run(load_run(out / recipe.name, registry))


@click.command()
@click.argument("path", metavar="[RUN]", required=False, type=UserPath())
@click.option(
    "--encoder",
    metavar="USE",
    type=ComponentName("encoder"),
    help="An encoder that no run has trained, such as timm:resnet18.",
)
@click.option("--data", metavar="USE", type=ComponentName("dataset"), help="What to measure it on, such as digits.")
@step_option
@set_option
@click.option("--out", default="runs", show_default=True, type=UserPath(), help="For --encoder.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_obj
def evaluate(
    disabled: tuple[str, ...],
    path: Path | None,
    encoder: str | None,
    data: str | None,
    step: int | Literal["best"] | None,
    sets: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Evaluate a run again, or any encoder as it is loaded.

    Another protocol than the run's own is given by --set, such as --set evaluate.0.k=5; --set data.root=/new/place says
    where the run's data are now.
    """
    from coview.experiment.evaluate import evaluate_encoder, evaluate_run
    from coview.experiment.run import load_run
    from coview.plugins.discovery import load_plugins

    if path is not None and encoder is None and data is None:
        done = evaluate_run(load_run(path, load_plugins(disable=disabled), step=step), sets=sets)
    elif step is None and path is None and encoder is not None and data is not None:
        done = evaluate_encoder(encoder, data, load_plugins(disable=disabled), sets=sets, out=out)
    else:
        raise CoviewError(
            "give either a run, with or without --step, or both --encoder and --data",
            hint="coview evaluate runs/NAME, or coview evaluate --encoder timm:resnet18 --data digits",
        )
    if as_json:
        print_json([result.as_json() for result in done.results])
        return
    _print_run(done)


@click.command()
@click.argument("path", metavar="RUN", type=UserPath())
@click.argument("split", metavar="SPLIT", default="test")
@click.option(
    "--out",
    required=True,
    type=UserPath(dir_okay=False),
    help="A .npz, .npy or .safetensors file.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Other data, such as data.root=my-pictures, or train.device=cpu.",
)
@modality_option
@click.option("--projector", is_flag=True, help="Write projections instead of representations.")
@step_option
@click.pass_obj
def embed(
    disabled: tuple[str, ...],
    path: Path,
    split: str,
    out: Path,
    sets: tuple[str, ...],
    modality: str | None,
    projector: bool,
    step: int | Literal["best"] | None,
) -> None:
    """Write the representations of a split, with ids and labels.

    Of the run's data, or of other data that is given by --set.
    """
    from coview.experiment.embed import embed_to_file
    from coview.experiment.run import load_run
    from coview.plugins.discovery import load_plugins

    run = load_run(path, load_plugins(disable=disabled), step=step)
    written = embed_to_file(run, split, out, sets=sets, modality=modality, projector=projector)
    if written.kept:
        click.echo(f"taken from what {run.path} has kept: the encoder did not run again", err=True)
    click.echo(f"{out}: {written.rows:,} × {written.width}")
    for table in written.files[1:]:
        click.echo(f"{table}: a row for each, in the same order")


@click.command()
@click.argument("path", metavar="RUN", type=UserPath())
@click.option(
    "--to",
    required=True,
    type=click.Choice(["hf", "sentence-transformers"]),
    help="A folder that transformers' AutoModel, or timm, loads; or SentenceTransformer, for texts.",
)
@click.option("--out", type=UserPath(file_okay=False), help="The folder; RUN/export/… by default.")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Where the data are now, such as data.root=/new/place."
)
@click.option(
    "--modality",
    metavar="NAME",
    help="The modality whose encoder is exported, in a run of several modalities; both together by default.",
)
@step_option
@click.pass_obj
def export(
    disabled: tuple[str, ...],
    path: Path,
    to: str,
    out: Path | None,
    sets: tuple[str, ...],
    modality: str | None,
    step: int | Literal["best"] | None,
) -> None:
    """Write the encoder in a form that other libraries load."""
    from coview.experiment.export import export as write
    from coview.experiment.run import load_run
    from coview.plugins.discovery import load_plugins

    run = load_run(path, load_plugins(disable=disabled), step=step)
    folder, code = write(run, to=to, out=out, sets=sets, modality=modality)
    click.echo(f"{folder}\n\n{code}")


def _print_run(done: Run) -> None:
    """The table, where everything is, and what to type next."""
    from coview.experiment.export import forms_of, has_several_encoders
    from coview.track.console import make_console, print_results

    console = make_console()
    if done.results:
        print_results(done.results, console)
    folder = done.folder
    click.echo()
    of_the_run = done.step is None
    for name, path in (
        *((("report", folder.report),) if of_the_run else ()),
        ("checkpoint", folder.checkpoints / ("last" if of_the_run else f"step-{done.step}")),
        ("results", folder.results),
    ):
        if path.exists():
            click.echo(f"{name:<12}{path}")
    click.echo(f"{'tensorboard':<12}{folder.tensorboard}")
    click.echo("\nnext:")
    quoted = shlex.quote(str(done.path)) + ("" if of_the_run else f" --step {done.step}")
    which = f" --modality {done.recipe.modalities[0]}" if has_several_encoders(done.recipe) else ""
    for command in (
        f"tensorboard --logdir {shlex.quote(str(folder.tensorboard))}",
        f"coview evaluate {quoted} --set evaluate.0.k=5"
        if done.results and done.recipe.evaluate and done.recipe.evaluate[0].use == "knn"
        else "",
        *(f"coview export {quoted} --to {form}{which}" for form in forms_of(done.recipe, done.registry)[:1]),
    ):
        if command:
            click.echo(f"  {command}")
