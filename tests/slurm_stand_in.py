"""A Slurm on this machine: the five commands that submitit calls, as scripts. Each of a job's nodes is this machine."""

from __future__ import annotations

import sys
from pathlib import Path

SBATCH = """
import json, os, pathlib, re, subprocess, sys

here = pathlib.Path(os.environ["STAND_IN"])
script = sys.argv[-1]
text = pathlib.Path(script).read_text()
asked = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.M))
number = 1 + len(list(here.glob("job-*.json")))
nodes = int(asked.get("nodes", 1))
(here / f"job-{number}.json").write_text(json.dumps(asked))
environment = {
    **os.environ,
    "SLURM_JOB_ID": str(number),
    "SLURM_JOB_NUM_NODES": str(nodes),
    "SLURM_JOB_NODELIST": ",".join(["localhost"] * nodes),
    "SLURM_NTASKS": str(nodes * int(asked.get("ntasks-per-node", 1))),
}
log = open(here / f"job-{number}.log", "wb")
process = subprocess.Popen(["bash", script], env=environment, stdout=log, stderr=log, start_new_session=True)
(here / f"job-{number}.pid").write_text(str(process.pid))
print(f"Submitted batch job {number}")
"""

SRUN = """
import os, subprocess, sys

given, at = {}, 1
while sys.argv[at].startswith("-"):
    if sys.argv[at] in ("--output", "--error"):
        given[sys.argv[at]] = sys.argv[at + 1]
        at += 1
    at += 1
running = []
for task in range(int(os.environ["SLURM_NTASKS"])):
    of_task = {"SLURM_PROCID": str(task), "SLURM_NODEID": str(task), "SLURM_LOCALID": "0"}
    named = {
        name: path.replace("%j", os.environ["SLURM_JOB_ID"]).replace("%t", str(task)) for name, path in given.items()
    }
    out = open(named["--output"], "wb")
    error = open(named["--error"], "wb") if "--error" in named else out
    running.append(subprocess.Popen(sys.argv[at:], env={**os.environ, **of_task}, stdout=out, stderr=error))
sys.exit(max(process.wait() for process in running))
"""

SACCT = """
import os, pathlib, sys

here = pathlib.Path(os.environ["STAND_IN"])
print("JobID|State|NodeList")
for number in [sys.argv[at + 1] for at, name in enumerate(sys.argv) if name == "-j"]:
    if not (here / f"job-{number}.pid").exists():
        continue
    pid = int((here / f"job-{number}.pid").read_text())
    state = pathlib.Path(f"/proc/{pid}/stat")
    runs = state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    print(f"{number}|{'RUNNING' if runs else 'COMPLETED'}|localhost")
"""

SCANCEL = """
import os, pathlib, signal, sys

pid = int((pathlib.Path(os.environ["STAND_IN"]) / f"job-{sys.argv[-1]}.pid").read_text())
os.killpg(pid, signal.SIGTERM)
"""


def install_slurm(folder: Path, monkeypatch) -> Path:
    """Puts the commands before all others, and returns the folder of what they write."""
    commands, written = folder / "slurm-bin", folder / "slurm-jobs"
    commands.mkdir()
    written.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SCANCEL}.items():
        path = commands / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
    monkeypatch.setenv("STAND_IN", str(written))
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    return written
