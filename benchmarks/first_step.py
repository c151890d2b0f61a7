"""How long `coview run` takes until its first step, for the three recipes of the quickstart; the least of several.

Seconds from the command to the line of the first step, the processor seconds of all its processes until then, and how
many of them a process takes that only imports what the recipe names.

python benchmarks/first_step.py [--rounds 3] [RECIPE …]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

import psutil
from startup import COVIEW, seconds

RECIPES = ("quickstart", "text/scipy-docs", "audio/spoken-digits")


def first_step(recipe: str) -> tuple[float, float]:
    """Seconds, and processor seconds, until the first step."""
    with tempfile.TemporaryDirectory() as out:
        started = time.monotonic()
        command = [sys.executable, "-u", "-c", COVIEW, "run", recipe, "--out", out]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            assert run.stdout is not None
            said = []
            for line in run.stdout:
                said.append(line)
                if line.startswith("step 1/"):
                    break
            else:
                sys.exit(f"{recipe} has taken no step:\n{''.join(said)}")
            waited, main = time.monotonic() - started, psutil.Process(run.pid)
            processes = [main, *main.children(recursive=True)]
            times = [process.cpu_times() for process in processes]
            for process in reversed(processes):
                process.kill()
        return waited, sum(one.user + one.system for one in times)


def imports(recipe: str) -> float:
    """Processor seconds of a check of the recipe, which imports all that it names and looks at no data."""
    return seconds(["-c", COVIEW, "recipe", "check", recipe, "--no-cache"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| recipe | seconds | processor seconds | of them imports |\n|---|---|---|---|")
    for recipe in args.recipes:
        waited, busy = (min(column) for column in zip(*[first_step(recipe) for _ in range(args.rounds)], strict=True))
        print(f"| `{recipe}` | {waited:.1f} | {busy:.1f} | {min(imports(recipe) for _ in range(args.rounds)):.1f} |")


if __name__ == "__main__":
    main()
