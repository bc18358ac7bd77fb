"""Types of command-line values, and messages on stderr."""

import logging
import math
from typing import Any

import click


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


def show_messages(verbosity: int) -> None:
    """Send the package's log to stderr: warnings at -1, what was done at 0, all at 1."""
    logger = logging.getLogger("cgmgm_seis")
    logger.setLevel({-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG))
    logger.handlers = [_StderrHandler()]
    logger.propagate = False
    # SeisBench's own log repeats these messages, and after Ctrl-C names files that are removed.
    logging.getLogger("seisbench").setLevel(logging.CRITICAL)


class _StderrHandler(logging.Handler):
    """Write log records as plain lines through Click, which knows the current stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        click.echo(prefix + record.getMessage(), err=True)
