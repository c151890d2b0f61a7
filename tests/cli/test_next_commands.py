"""What a run proposes to type next can be typed, whatever its folder is called."""

import shlex
import shutil

import coview
from coview.cli.run import _print_run


def test_a_path_with_a_space_is_quoted(own_run, tmp_path, capsys):
    elsewhere = shutil.copytree(own_run.path, tmp_path / "my runs" / own_run.path.name)
    _print_run(coview.load_run(elsewhere, registry=own_run.registry))
    commands = [shlex.split(line) for line in capsys.readouterr().out.partition("next:")[2].splitlines() if line]
    assert ["tensorboard", "--logdir", str(elsewhere / "tensorboard")] in commands
    assert ["coview", "export", str(elsewhere), "--to", "hf"] in commands
