"""How long the commands take that only say something of recipes and components, beyond a bare Python: whole processes.

Three ways, in turns: asking every component anew (--no-cache), the first time with an empty cache, and the second time.
Processor time (user and system), which other work on the machine hardly lengthens; the least of several rounds.

python benchmarks/touch.py [--rounds 5] [--slow-rounds 1] [--only "recipe check quickstart" …]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

COVIEW = "from coview.cli.main import main; main()"
RECIPES = Path(__file__).resolve().parents[1] / "recipes"

COMMANDS = (
    "recipe check quickstart",
    "recipe check text/simcse-newsgroups-cpu",
    "recipe check crossmodal/clip-cpu",
    "recipe show quickstart --resolved",
    "recipe diff quickstart image/fashion-mnist-simclr-cpu",
    "recipe schema",
    "plugins show nt_xent",
    "plugins show timm:resnet18",
    f"compare {RECIPES / 'compare' / 'losses.toml'} --dry-run",
)

COMPLETED = ("coview recipe check qui", "coview plugins show nt")
"""What is typed before the key that completes."""


def seconds(arguments: list[str], folder: str, **variables: str) -> float:
    """Of a process in an empty folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | variables
    done = subprocess.run([sys.executable, *arguments], env=environment, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{arguments}: {done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of what is quick")
    parser.add_argument("--slow-rounds", type=int, default=1, help="of what imports the components")
    parser.add_argument("--only", nargs="*", default=COMMANDS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        bare = min(seconds(["-c", "pass"], empty) for _ in range(args.rounds))
        print(f"python -c pass: {bare:.3f} s\n\n{'beyond it, in seconds':56}{'no cache':>9}{'first':>9}{'second':>9}")
        for command in args.only:
            given = ["-c", COVIEW, *command.split()]
            found: list[list[float]] = [[], [], []]
            for _ in range(args.slow_rounds):
                with tempfile.TemporaryDirectory() as cache:
                    found[0].append(seconds([*given, "--no-cache"], empty, COVIEW_CACHE=cache))
                    found[1].append(seconds(given, empty, COVIEW_CACHE=cache))
                    found[2] += [seconds(given, empty, COVIEW_CACHE=cache) for _ in range(args.rounds)]
            cells = "".join(f"{min(values) - bare:9.2f}" for values in found)
            print(f"coview {command.replace(str(RECIPES), 'recipes'):49}{cells}", flush=True)
        for typed in COMPLETED:
            asked = {
                "_COVIEW_COMPLETE": "bash_complete",
                "COMP_WORDS": typed,
                "COMP_CWORD": str(len(typed.split()) - 1),
            }
            value = min(seconds(["-c", COVIEW], empty, **asked) for _ in range(args.rounds))
            print(f"{typed + ' <Tab>':56}{'':18}{value - bare:9.2f}", flush=True)


if __name__ == "__main__":
    main()
