"""The `cgmgm-seis` command: a group whose subcommands are imported when they are run."""

import atexit
import errno
import gc
import re
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

# Name of a command: its location, and its line in the help.
COMMANDS = {
    "generate": ("cgmgm_seis_cli.generate:generate", "Generate seismograms of an earthquake."),
    "grid": ("cgmgm_seis_cli.grid:grid", "Generate shaking maps and wavefields of an earthquake."),
    "serve": ("cgmgm_seis_cli.serve:serve", "Answer clients of Syngine and FDSN on this machine."),
    "dataset": ("cgmgm_seis_cli.dataset:dataset", "Make and inspect data sets."),
    "train": ("cgmgm_seis_cli.train:train", "Train a model on a data set."),
    "tune": ("cgmgm_seis_cli.tune:tune", "Search for the settings of a model."),
    "evaluate": ("cgmgm_seis_cli.evaluate:evaluate", "Compare models with recorded data."),
    "reproduce": ("cgmgm_seis_cli.reproduce:reproduce", "Reproduce the paper on a data set."),
    "gmm": ("cgmgm_seis_cli.gmm:gmm", "Fit and describe ground-motion models."),
    "example": ("cgmgm_seis_cli.example:example", "Write example data to try the commands on."),
    "weights": ("cgmgm_seis_cli.weights:weights", "List, describe and import trained weights."),
}

# Python would look for garbage among all that was imported once more when it ends, for a second.
atexit.register(gc.freeze)

# Longest value in a message, characters.
LONGEST = 80
# Words, except paths, which are shown whole; and what is quoted, of which click repeats all.
_LONG_WORD = re.compile(rf"(?<!\S)[^\s/\\]{{{LONGEST + 1},}}(?!\S)")
_LONG_QUOTE = re.compile(rf"(?<!\S)'[^']{{{LONGEST + 1},}}'")
_OF_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


class OneLineError(click.ClickException):
    """An error shown as one line, in which long values are cut; exit status 1."""

    long_values: tuple[re.Pattern[str], ...] = (_LONG_WORD,)

    def __init__(self, message: str) -> None:
        for pattern in self.long_values:
            message = pattern.sub(lambda found: f"{found[0][: LONGEST - 2]}..", message)
        super().__init__(" ".join(message.split()))


class OneLineUsageError(OneLineError):
    """A wrong command line, shown as one line; exit status 2."""

    exit_code = 2
    long_values = (_LONG_QUOTE, _LONG_WORD)


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is run, and shows every error as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines of the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Keep the command line for the provenance."""
        command = [str(info_name), *args]
        ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta["command"] = command
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; exit 2 for wrong usage, 1 for other errors."""
        from cgmgm_seis.errors import CgmgmError, one_line

        # Names of files may be bytes that are no text; they are printed as they are.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="surrogateescape")
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else ctx.command_path
            message = error.format_message().rstrip(".")
            raise OneLineUsageError(f"{message}. Try '{path} -h'.") from error
        except CgmgmError as error:
            raise OneLineError(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise OneLineError(str(error)) from error
        except (MemoryError, RuntimeError) as error:
            # torch raises RuntimeError, with a backtrace in its message.
            if isinstance(error, RuntimeError) and not _OF_MEMORY.search(str(error)):
                raise
            reason = one_line(error) if str(error) else "no more can be allocated"
            raise OneLineError(
                f"The memory of this machine is not sufficient ({reason}); use fewer or shorter "
                "records, realizations or nodes at once."
            ) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cgmgm-seis", message="%(prog)s %(version)s")
def main() -> None:
    """Generative ground motion: seismograms of an earthquake that you describe.

    The bundled weights were trained on simulated data; `cgmgm-seis weights info NAME` describes
    them.
    """


if __name__ == "__main__":
    main()
