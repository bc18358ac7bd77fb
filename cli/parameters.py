"""Shared by the commands: options, and messages on stderr."""

import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from cgmgm_seis_cli.numbers import KILOMETRES, LARGEST_SEED, PROCESSES, Number
from cgmgm_seis_cli.values import Components, GivenPath, Point, Time

if TYPE_CHECKING:
    import pandas as pd

    from cgmgm_seis.models.base import GroundMotionModel
    from cgmgm_seis.scenario.stations import Places
    from cgmgm_seis.training.recipe import Recipe

DEFAULT_WEIGHTS = "bay_area_evolutionary"

Command = TypeVar("Command", bound=Callable[..., Any])


# ---- options of several commands -----------------------------------------------------------

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="Random seed.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace existing output.")


def strict_option(command: Command) -> Command:
    """Add --strict, and --skip-bad, which was its opposite and is the default now."""
    command = click.option("--skip-bad", is_flag=True, hidden=True, expose_value=False)(command)
    return click.option(
        "--strict",
        is_flag=True,
        help="Stop if a record cannot be used, instead of leaving it out and counting it.",
    )(command)


units_option = click.option(
    "--units",
    default="",
    show_default=False,
    help="Units of the samples, such as m/s or cm/s, if the data set does not state them.",
)
components_option = click.option(
    "--components",
    type=Components(),
    help="Components and their order.  [default: those that most records of DATASET have]",
)
velocity_model_option = click.option(
    "--velocity-model",
    type=click.Path(path_type=Path),
    metavar="FILE.nd",
    help="1-D velocity model of the region, for travel times.  [default: the Bay Area's]",
)
workers_option = click.option(
    "--workers",
    type=PROCESSES,
    help="Number of processes; results do not depend on it.  [default: one per core]",
)
stations_option = click.option(
    "--stations",
    multiple=True,
    metavar="FILE",
    help="Receivers of a file: StationXML, FDSN text or CSV, * and ? allowed; repeatable.  Those "
    "not open at the event's time are left out.",
)


def extrapolate_options(command: Command) -> Command:
    """Add --extrapolate and --extrapolate-magnitude: the argument ``extrapolate``."""

    @wraps(command)
    def with_limit(*args: Any, extrapolate_magnitude: float | None, **given: Any) -> Any:
        if extrapolate_magnitude is not None:
            given["extrapolate"] = extrapolate_magnitude
        return command(*args, **given)

    for option in reversed(
        (
            click.option(
                "--extrapolate",
                is_flag=True,
                help="Warn instead of stopping outside the trained ranges; magnitudes may be "
                "outside by up to 0.5.",
            ),
            click.option(
                "--extrapolate-magnitude",
                type=Number(0.0, 10.0, above=True),
                metavar="FLOAT",
                help="As --extrapolate, with this limit for the magnitude, for example 2.",
            ),
        )
    ):
        with_limit = option(with_limit)
    return cast(Command, with_limit)


def out_option(default: str | None = None) -> Callable[[Command], Command]:
    """Return --out, which is required if there is no default."""
    value = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option("--out", type=click.Path(path_type=Path), help="Output folder.", **value)


def device_option(default: str) -> Callable[[Command], Command]:
    """Return --device."""
    return click.option(
        "--device",
        default=default,
        show_default=True,
        help="Device: cpu, cuda, mps or auto (the fastest available).",
    )


def realizations_option(
    least: int = 1, most: int = 10_000, default: int = 1
) -> Callable[[Command], Command]:
    """Return -n, the argument ``n_realizations``."""
    return click.option(
        "-n",
        "--realizations",
        "n_realizations",
        type=click.IntRange(least, most),
        default=default,
        show_default=True,
        help="Number of realizations.",
    )


def weights_option(default: str | None = None) -> Callable[[Command], Command]:
    """Return --weights: one, or, if there is no default, several as the argument ``names``."""
    text = "Name (see `cgmgm-seis weights list`) or path of weights"
    if default is None:
        return click.option(
            "--weights",
            "names",
            metavar="NAME|PATH",
            multiple=True,
            required=True,
            help=f"{text}; repeatable.",
        )
    return click.option(
        "--weights", default=default, show_default=True, metavar="NAME|PATH", help=f"{text}."
    )


def given_option(command: Command) -> Command:
    """Add --given: recorded motion on which the model is conditioned."""
    return click.option(
        "--given",
        metavar="PATH",
        type=GivenPath(),
        help="Condition the model on what was recorded of this earthquake: a CSV file of "
        "amplitudes (as for `evaluate`), ShakeMap's stationlist.json, the folder of a SeisBench "
        "data set, or, with --inventory, waveforms in counts.",
    )(command)


def given_settings(given: str | None, model: "GroundMotionModel") -> dict[str, Any]:
    """Return the entry of the provenance for a model that was conditioned on records."""
    if given is None:
        return {}
    return {"given": given, "given_sha256": model.conditioning.digest()}


@dataclass(frozen=True)
class SourceChoice:
    """An earthquake as described by the options of `source_options`."""

    mag: float | None
    src: tuple[float, float] | None
    depth: float | None
    time: Any
    event: Path | None

    def table(self) -> "pd.DataFrame":
        """Return the source of a scenario; given values override those of the event."""
        from cgmgm_seis.scenario.obspy_files import read_event
        from cgmgm_seis.scenario.sources import source

        event = None if self.event is None else read_event(self.event)
        latitude, longitude = self.src or (None, None)
        return source(self.mag, latitude, longitude, self.depth, self.time, event=event)

    def receivers(self, places: "Places | None", earthquake: "pd.DataFrame") -> "pd.DataFrame":
        """Return the receivers at the time of the earthquake, if it is known."""
        from cgmgm_seis.scenario.stations import receivers

        known = self.time is not None or self.event is not None
        return receivers(places, earthquake["source_origin_time"].iloc[0] if known else None)


def source_options(command: Command) -> Command:
    """Add --mag, --src, --depth, --time and --event: the argument ``source``, a `SourceChoice`."""

    @wraps(command)
    def with_source(*args: Any, **given: Any) -> Any:
        names = ("mag", "src", "depth", "time", "event")
        chosen = SourceChoice(*(given.pop(name) for name in names))
        missing = [f"--{name}" for name in ("mag", "src") if getattr(chosen, name) is None]
        if missing and chosen.event is None:
            raise click.UsageError(
                f"Missing {' and '.join(missing)}: give --mag and --src, or --event FILE."
            )
        return command(*args, source=chosen, **given)

    for option in reversed(
        (
            click.option(
                "--mag",
                type=Number(-100.0, 100.0),
                help="Moment magnitude.  [default: the event's, of whatever type]",
            ),
            click.option("--src", type=Point(), help="Epicentre, degrees."),
            click.option(
                "--depth", type=KILOMETRES, help="Source depth, km.  [default: the event's, else 8]"
            ),
            click.option(
                "--time",
                type=Time(),
                help="Origin time, UTC.  [default: the event's, else 2020-01-01]",
            ),
            click.option(
                "--event",
                type=click.Path(path_type=Path),
                help="QuakeML file of one earthquake; --mag, --src, --depth and --time override "
                "its values.",
            ),
        )
    ):
        with_source = option(with_source)
    return cast(Command, with_source)


def components_of(dataset: Path, recipe: "Recipe") -> str:
    """Return the components that most records have in the window of a model, of Z, N and E."""
    from cgmgm_seis.datasets.windows import choose_components

    return choose_components(dataset, recipe.new_model(0).window).component_order


# ---- messages ------------------------------------------------------------------------------


def verbosity_options(command: Command) -> Command:
    """Add -v and -q, which set ``verbosity`` to 1 or -1; it is None without them."""
    for names, value, text in (
        (("-q", "--quiet"), -1, "Print warnings and errors only."),
        (("-v", "--verbose"), 1, "Print more details."),
    ):
        command = click.option(*names, "verbosity", flag_value=value, type=int, help=text)(command)
    return command


def show_messages(verbosity: int) -> None:
    """Print the package's log to stderr: warnings at -1, also info at 0, everything at 1."""
    logger = logging.getLogger("cgmgm_seis")
    logger.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    logger.handlers = [_StderrHandler()]
    logger.propagate = False
    # SeisBench's log repeats these messages, and after Ctrl-C lists files that were removed.
    logging.getLogger("seisbench").setLevel(logging.CRITICAL)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Never look for garbage in what is imported: there is none, it takes a fifth of the time."""
    known = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        gc.enable()


@contextmanager
def extrapolation_warnings(messages: list[str], prefix: str = "") -> Iterator[None]:
    """Print warnings of extrapolation as one line each, once, and append them to messages."""
    from cgmgm_seis.models.conditions import ExtrapolationWarning

    show_others = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, ExtrapolationWarning):
            show_others(message, category, filename, lineno, file, line)
        elif (text := f"{prefix}{message}") not in messages:
            messages.append(text)
            click.echo(f"Warning: {text}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ExtrapolationWarning)
        warnings.showwarning = show
        yield


def described(out: Path, metadata: "pd.DataFrame") -> str:
    """Return one line that describes the data set written."""
    splits = ""
    if "split" in metadata:
        counts = metadata["split"].value_counts()
        parts = (f"{counts.get(split, 0)} {split}" for split in ("train", "dev", "test"))
        splits = f" ({', '.join(parts)})"
    magnitudes = metadata["source_magnitude"]
    return (
        f"{out}: {len(metadata)} records{splits} of {metadata['source_id'].nunique()} "
        f"earthquakes, M {magnitudes.min():.1f} to {magnitudes.max():.1f}, SeisBench format"
    )


class _StderrHandler(logging.Handler):
    """Write log records as plain lines with Click, which uses the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        click.echo(prefix + record.getMessage(), err=True)
