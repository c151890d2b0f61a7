"""A command looks for garbage seldom, and not at all as it ends: Python takes seconds to take torch apart."""

import subprocess
import sys

SCRIPT = """
import gc, sys

class Told:
    def __del__(self):
        print("told", flush=True)

def leave_garbage():
    told = Told()
    told.itself = told

if sys.argv[1] == "seldom":
    from coview.data.garbage import look_for_garbage_seldom
    look_for_garbage_seldom()
gc.collect()
leave_garbage()
kept = [[] for _ in range(10_000)]  # many more than Python waits for by itself
"""


def said(how, code=SCRIPT):
    done = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_garbage_is_left_where_it_is_at_the_end():
    assert said("as Python does") == "told\n"
    assert said("seldom") == ""


def test_garbage_is_found_once_there_are_many_objects():
    assert said("seldom", SCRIPT + "kept += [[] for _ in range(200_000)]\nprint('end')\n") == "told\nend\n"


def test_commands_do_so():
    code = """
import atexit, gc
from coview.cli.main import main
atexit.register(lambda: print(gc.get_freeze_count() > 1000, gc.get_threshold()[0]))  # the last thing
main(["--version"])
"""
    assert said("", code).splitlines()[-1] == "True 100000"
