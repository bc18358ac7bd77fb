"""Spelling of the documentation and of the help texts."""

from pathlib import Path

import click
from codespell_lib import main as codespell

from cgmgm_seis_cli.main import main

ROOT = Path(__file__).resolve().parents[1]


def help_texts(command, context):
    """Yield the help of a command and of all commands below it."""
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from help_texts(below, click.Context(below, info_name=name, parent=context))


def is_correct(*paths):
    """Return whether codespell, as the project uses it, finds nothing in files to correct."""
    return codespell("--toml", str(ROOT / "pyproject.toml"), *map(str, paths)) == 0


def test_documentation(capfd):
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    assert len(pages) > 10
    assert is_correct(*pages), capfd.readouterr().out


def test_help(tmp_path, capfd):
    # With the settings of the command itself: click keeps the help option that is made first.
    context = click.Context(main, info_name="cgmgm-seis", **main.context_settings)
    texts = list(help_texts(main, context))
    assert len(texts) > 10
    (tmp_path / "help.txt").write_text("\n".join(texts))
    assert is_correct(tmp_path / "help.txt"), capfd.readouterr().out


def test_a_mistake_is_found(tmp_path):
    (tmp_path / "page.md").write_text("Seismograms are recieved.")  # codespell:ignore
    assert not is_correct(tmp_path / "page.md")
