"""Types of command-line values, and messages on stderr."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd

Command = TypeVar("Command", bound=Callable[..., Any])


class Point(click.ParamType):
    """A place as ``latitude,longitude`` in degrees."""

    name = "lat,lon"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Parse the text; say so where the two look swapped."""
        if isinstance(value, tuple):
            return value
        try:
            latitude, longitude = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is not a latitude,longitude such as 37.9,-122.1", param, ctx)
        if not (math.isfinite(latitude) and math.isfinite(longitude)):
            self.fail(f"'{value}' is not finite; degrees such as 37.9,-122.1", param, ctx)
        if abs(latitude) > 90 >= abs(longitude) and abs(latitude) <= 180:
            self.fail(
                f"'{value}' looks swapped: latitude comes first and lies within -90 to 90; "
                f"perhaps {longitude:g},{latitude:g} is meant",
                param,
                ctx,
            )
        if abs(latitude) > 90 or abs(longitude) > 180:
            self.fail(
                f"'{value}' is no place on Earth; latitude lies within -90 to 90, longitude "
                "within -180 to 180",
                param,
                ctx,
            )
        return latitude, longitude


class Time(click.ParamType):
    """A time in UTC, in any notation that ObsPy reads."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text into an obspy.UTCDateTime."""
        from obspy import UTCDateTime

        try:
            return UTCDateTime(value)
        except Exception:  # ObsPy raises several kinds
            self.fail(f"'{value}' is not a time such as 2019-10-15T05:33:42.81", param, ctx)


class Components(click.ParamType):
    """Different components in the order wanted, such as ZNE."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the letters."""
        text = str(value)
        if not text or len(set(text)) < len(text) or not set(text) <= set("ZNE"):
            self.fail(f"'{text}' is not allowed; Z, N and E are, each once", param, ctx)
        return text


class Region(click.ParamType):
    """A region as ``west,east,south,north`` in degrees."""

    name = "w,e,s,n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the text; whether it is a region of the Earth is the library's question."""
        numbers = Numbers().convert(value, param, ctx)
        if len(numbers) != 4:
            self.fail(f"'{value}' is not west,east,south,north such as -122.5,-121.8,37.3,38.1")
        return numbers


class Shape(click.ParamType):
    """Rows and columns as ``100x80``."""

    name = "rowsxcolumns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse the text."""
        return _two_integers(self, str(value), "x", "ROWSxCOLUMNS such as 100x80", param, ctx)


class Shard(click.ParamType):
    """A part of the work as ``i/n``."""

    name = "i/n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse the text."""
        number, count = _two_integers(self, str(value), "/", "i/n such as 3/10", param, ctx)
        if not 1 <= number <= count:
            text = f"'{value}' is not allowed; 1/n to n/n are, for n parts"
            self.fail(text, param, ctx)
        return number, count


class Numbers(click.ParamType):
    """Finite numbers with commas between."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the text."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is not a list of numbers such as 2,5,10", param, ctx)
        if not all(math.isfinite(number) for number in numbers):
            self.fail(f"'{value}' is not finite; numbers such as 2,5,10 are", param, ctx)
        return numbers


class Words(click.ParamType):
    """Some of a few words with commas between."""

    name = "words"

    def __init__(self, known: Sequence[str]) -> None:
        self.known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Parse the text."""
        words = tuple(part.strip() for part in str(value).split(","))
        for word in words:
            if word not in self.known:
                self.fail(f"'{word}' is unknown; {', '.join(self.known)} are known", param, ctx)
        return tuple(dict.fromkeys(words))


def _two_integers(
    kind: click.ParamType,
    text: str,
    between: str,
    form: str,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> tuple[int, int]:
    """Return two integers with a sign between."""
    try:
        first, second = (int(part) for part in text.lower().split(between))
    except ValueError:
        kind.fail(f"'{text}' is not {form}", param, ctx)
    return first, second


def verbosity_options(command: Command) -> Command:
    """Add -v and -q, which make ``verbosity`` 1 or -1; it is None without them."""
    for names, value, text in (
        (("-q", "--quiet"), -1, "Say only what went wrong."),
        (("-v", "--verbose"), 1, "Say more."),
    ):
        command = click.option(*names, "verbosity", flag_value=value, type=int, help=text)(command)
    return command


def show_messages(verbosity: int) -> None:
    """Send the package's log to stderr: warnings at -1, what was done at 0, all at 1."""
    logger = logging.getLogger("cgmgm_seis")
    logger.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    logger.handlers = [_StderrHandler()]
    logger.propagate = False
    # SeisBench's own log repeats these messages, and after Ctrl-C names files that are removed.
    logging.getLogger("seisbench").setLevel(logging.CRITICAL)


def described(out: Path, metadata: "pd.DataFrame") -> str:
    """Return the line that says which data set has been written."""
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
    """Write log records as plain lines through Click, which knows the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        click.echo(prefix + record.getMessage(), err=True)
