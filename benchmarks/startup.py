"""How long the command takes before it does anything, beside a bare Python, in turns; the least of several.

Processor time, which other work on the machine does not lengthen; a command that waits for nothing takes as long.

python benchmarks/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

COVIEW = "from coview.cli.main import main; main()"
HEAVY = "('torch', 'numpy', 'albumentations', 'transformers', 'timm', 'pydantic')"

WAYS = {
    "python -c pass": ["-c", "pass"],
    "coview --help": ["-c", COVIEW, "--help"],
    "coview plugins list": ["-c", COVIEW, "plugins", "list"],
    "import torch": ["-c", "import torch"],
    "coview recipe check quickstart": ["-c", COVIEW, "recipe", "check", "quickstart", "--no-cache"],
}


def seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy_imports(arguments: list[str]) -> str:
    """Which of the slow libraries a command has imported at its end."""
    report = f"print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    before = f"import atexit, sys; atexit.register(lambda: {report})"
    code = f"{before}\n{arguments[1]}"
    done = subprocess.run([sys.executable, "-c", code, *arguments[2:]], check=True, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(args.rounds):
        for name, arguments in WAYS.items():
            found[name].append(seconds(arguments))
    bare = min(found["python -c pass"])
    print(f"{'':32}{'seconds':>9}{'beyond bare':>13}   imports of the slow ones")
    for name, values in found.items():
        fastest = min(values)
        print(f"{name:32}{fastest:9.3f}{fastest - bare:13.3f}   {heavy_imports(WAYS[name])}")


if __name__ == "__main__":
    main()
