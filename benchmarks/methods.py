"""Every method of recipes/image/methods, with several seeds: the table in docs/results/methods.md.

A run that is there already is not trained again, and one that was stopped goes on. Spread is over seeds.

    python benchmarks/methods.py [--seeds 3] [--out runs/methods] [--table docs/results/methods.md] [--only byol dino]
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import coview

RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "image" / "methods"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    parser.add_argument("--table", type=Path, help="write the table here too")
    parser.add_argument("--only", nargs="*", default=[])
    args = parser.parse_args()
    registry = coview.load_plugins()
    rows = []
    for path in sorted(RECIPES.glob("[!_]*.toml")):
        if args.only and path.stem not in args.only:
            continue
        runs = []
        for seed in range(args.seeds):
            recipe = coview.load_recipe(path, overrides={"seed": seed}, registry=registry)
            out = args.out / f"seed-{seed}"
            try:
                runs.append(coview.run(recipe, out, resume=True, registry=registry, quiet=True))
            except coview.CoviewError as error:  # the rest is worth having
                print(path.stem, seed, "failed:", error, flush=True)
                continue
            print(path.stem, seed, *(f"{r.kind} {r.value:.3f}" for r in runs[-1].results), flush=True)
        if runs:
            rows.append(row(path.stem, runs))
    print(table := "\n".join([*HEADER, *rows]))
    if args.table:
        args.table.write_text(table + "\n", encoding="utf-8")


HEADER = (
    "| method | seeds | kNN, pretrained | kNN, untrained | kNN, pixels | spread | effective rank | seconds |",
    "|---|---|---|---|---|---|---|---|",
)


def row(name: str, runs: list[coview.Run]) -> str:
    """Mean ± standard deviation over seeds of the accuracies, and of the last diagnostics."""
    accuracy = {
        kind: over_seeds([r.value for run in runs for r in run.results if r.kind == kind], 3)
        for kind in ("pretrained", "untrained")
    }
    raw = next(result.value for result in runs[0].results if result.kind == "raw")  # has no seed
    last = [json.loads(run.folder.metrics.read_text().splitlines()[-1]) for run in runs]
    diagnostics = [over_seeds([float(line[key]) for line in last], digits) for key, digits in COLUMNS.items()]
    cells = [name, str(len(runs)), accuracy["pretrained"], accuracy["untrained"], f"{raw:.3f}", *diagnostics]
    return f"| {' | '.join(cells)} |"


COLUMNS = {"spread": 2, "effective_rank": 1, "time": 0}


def over_seeds(values: list[float], digits: int) -> str:
    """Mean ± standard deviation."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


if __name__ == "__main__":
    main()
