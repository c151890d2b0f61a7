"""What computes on a CPU takes no more threads than there are cores for it, and waits without keeping one busy."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
OF_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")

SAYS = """
import json, os, sys
if one := int(sys.argv[1]):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch
from coview.data.cores import available_cores
from coview.data.threads import limit_threads
before = torch.get_num_threads()
limit_threads()
print(json.dumps([available_cores(), before, torch.get_num_threads()]))
"""


def said(one_core=False, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in OF_THREADS}
    done = subprocess.run(
        [sys.executable, "-c", SAYS, str(int(one_core))],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(not CORES or CORES < 2, reason="there is one core")
def test_a_lower_number_of_cores_is_a_lower_number_of_threads():
    assert said(LOKY_MAX_CPU_COUNT="1") == [1, CORES, 1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_the_cores_are_those_that_the_process_may_run_on():
    assert said(one_core=True) == [1, 1, 1]


def test_a_number_of_threads_that_the_user_has_set_stays():
    assert said(LOKY_MAX_CPU_COUNT="1", OMP_NUM_THREADS="2")[2] == 2


POLICY = (
    "import os; from coview.cli.waiting import wait_asleep; wait_asleep(); print(os.environ.get('OMP_WAIT_POLICY'))"
)


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"), ({"GOMP_SPINCOUNT": "9"}, "None")]
)
def test_threads_sleep_while_they_wait_unless_the_user_has_said_how(given, policy):
    kept = {n: v for n, v in os.environ.items() if n not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")}
    done = subprocess.run(
        [sys.executable, "-c", POLICY], env={**kept, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == policy
