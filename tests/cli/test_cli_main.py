"""The command: fast help, one-line errors and exit statuses."""

import errno
import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis_cli import main as module
from cgmgm_seis_cli.main import COMMANDS, main

HEAVY = ("torch", "seisbench", "obspy", "matplotlib", "pandas", "scipy")


def run(*args):
    return CliRunner().invoke(main, args, prog_name="cgmgm-seis")


def commands():
    """Yield every command that does some work."""
    context = click.Context(main)
    for name in set(main.list_commands(context)) - {"weights"}:
        command = main.get_command(context, name)
        yield from getattr(command, "commands", {name: command}).values()


def imported(*command):
    """Run a command in a new process; return its output, its messages and what was imported."""
    code = (
        "import sys\n"
        "from cgmgm_seis_cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    line = [sys.executable, "-c", code, *command]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    *messages, modules = done.stderr.splitlines()
    return done.stdout, messages, set(modules.split())


def test_help_names_every_command_and_imports_nothing_heavy():
    output, messages, modules = imported("--help")
    assert not set(HEAVY) & modules
    assert messages == []
    assert all(name in output for name in COMMANDS)


def test_generate_imports_nothing_without_need(tiny_weights, tmp_path):
    """Imports take most of its time; SeisBench's models and ObsPy need the others."""
    place = ("--src", "37.9,-122.1", "--sta", "37.8,-122.2", "--weights", tiny_weights)
    _, _, modules = imported("generate", "--mag", "4", *place, "--out", tmp_path / "out")
    assert {"torch", "seisbench.models", "matplotlib.figure"} <= modules
    needless = {"h5py", "seisbench.data", "pygmm", "hyperopt", "ray", "xarray", "scipy.io"}
    needless |= {"torch.distributed.run", "torch._dynamo", "sympy", "tqdm.notebook"}
    needless |= {"pkg_resources", "cgmgm_seis.models.cgmgm.checkpoints"}
    packages = ("datasets", "evaluation", "grid", "serve", "training", "tuning", "simulator")
    needless |= {f"cgmgm_seis.{package}" for package in packages}
    assert not needless & modules


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["generate", "weights"])
def test_help_of_commands(command, option):
    result = run(command, option)
    assert result.exit_code == 0
    assert "Usage: cgmgm-seis" in result.stdout


def test_every_command_that_works_can_be_quiet_or_say_more():
    for command in commands():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"-q", "--quiet", "-v", "--verbose"} <= options, command.name


SHARED = (
    "--seed", "--device", "--out", "--overwrite", "-n", "--extrapolate", "--strict", "--mag",
    "--src", "--depth", "--time", "--event", "--stations", "--velocity-model",
)  # fmt: skip


def test_options_of_several_commands_have_one_help_text():
    texts = {}
    for command in commands():
        for parameter in command.params:
            for name in set(SHARED) & set(parameter.opts) if command.name != "info" else ():
                if (command.name, name) == ("fit", "--out"):
                    continue  # the only output that is a file
                texts.setdefault(name, set()).add(parameter.help)
    assert texts.keys() == set(SHARED)
    assert {name: found for name, found in texts.items() if len(found) > 1} == {}
    assert texts["--seed"] == {"Random seed."}


def test_python_runs_the_package_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "cgmgm_seis", "--version"], capture_output=True, text=True
    )
    assert done.stdout == run("--version").stdout
    done = subprocess.run(
        [sys.executable, "-m", "cgmgm_seis", "genrate"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Try 'cgmgm-seis -h'" in done.stderr


def test_version():
    result = run("--version")
    assert result.stdout == f"cgmgm-seis {version('cgmgm-seis')}\n"


def test_unknown_command_is_a_usage_error():
    result = run("genrate")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: No such command 'genrate'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CgmgmError("The value 7 is not\nallowed."), 1, "Error: The value 7 is not allowed.\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "Error: [Errno 28] No space left on device\n",
        ),
        (KeyboardInterrupt(), 1, "\nAborted!\n"),
        (click.UsageError("Wrong."), 2, "Error: Wrong. Try 'cgmgm-seis fail -h'.\n"),
    ],
)
def test_errors_are_one_line(monkeypatch, error, status, text):
    @click.command()
    @click.pass_context
    def fail(ctx):
        if isinstance(error, click.UsageError):
            error.ctx = ctx
        raise error

    monkeypatch.setitem(module.COMMANDS, "fail", ("cgmgm_seis_cli.main:fail", ""))
    monkeypatch.setattr(module, "fail", fail, raising=False)
    result = run("fail")
    assert result.exit_code == status
    assert result.stderr == text
    assert result.stdout == ""


def test_bugs_keep_their_traceback(monkeypatch):
    @click.command()
    def fail():
        raise ZeroDivisionError

    monkeypatch.setitem(module.COMMANDS, "fail", ("cgmgm_seis_cli.main:fail", ""))
    monkeypatch.setattr(module, "fail", fail, raising=False)
    assert isinstance(run("fail").exception, ZeroDivisionError)
