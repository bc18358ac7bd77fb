"""Types of the values of options."""

import math
from collections.abc import Sequence
from typing import Any

import click

# Years of origin times that pandas can hold, with windows around them.
YEARS = (1678, 2261)


class Point(click.ParamType):
    """A location as ``latitude,longitude`` in degrees."""

    name = "lat,lon"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Parse the text; the error suggests the other order if the two look swapped."""
        if isinstance(value, tuple):
            return value
        try:
            latitude, longitude = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is not a latitude,longitude such as 37.9,-122.1", param, ctx)
        if not (math.isfinite(latitude) and math.isfinite(longitude)):
            self.fail(f"'{value}' is not finite; give degrees such as 37.9,-122.1", param, ctx)
        if abs(latitude) > 90 >= abs(longitude) and abs(latitude) <= 180:
            self.fail(
                f"'{value}' looks swapped: latitude comes first and must lie within -90 to 90; "
                f"perhaps {longitude:g},{latitude:g} is meant",
                param,
                ctx,
            )
        if abs(latitude) > 90 or abs(longitude) > 180:
            self.fail(
                f"'{value}' is outside the allowed range; latitude must lie within -90 to 90, "
                "longitude within -180 to 180",
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
            time = UTCDateTime(value)
        except Exception:  # ObsPy raises several kinds of errors
            self.fail(f"'{value}' is not a time such as 2019-10-15T05:33:42.81", param, ctx)
        if not YEARS[0] <= time.year <= YEARS[1]:
            self.fail(f"'{value}' must be in the years {YEARS[0]} to {YEARS[1]}", param, ctx)
        return time


class Components(click.ParamType):
    """Components in the desired order, such as ZNE."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the letters."""
        text = str(value)
        if not text or len(set(text)) < len(text) or not set(text) <= set("ZNE"):
            self.fail(f"'{text}' must be some of Z, N and E, each once", param, ctx)
        return text


class Region(click.ParamType):
    """A region as ``west,east,south,north`` in degrees."""

    name = "w,e,s,n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the text; the library checks that the region is valid."""
        numbers = _finite_numbers(self, value, param, ctx)
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
            text = f"'{value}' must be i/n with i from 1 to n"
            self.fail(text, param, ctx)
        return number, count


class Numbers(click.ParamType):
    """Finite numbers, separated by commas, each of them once."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the text."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(_finite_numbers(self, value, param, ctx)))


class Words(click.ParamType):
    """Words from a given set, separated by commas."""

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
                self.fail(f"'{word}' must be one of {', '.join(self.known)}", param, ctx)
        return tuple(dict.fromkeys(words))


class GivenPath(click.ParamType):
    """A path that is not empty, as one from a variable of a shell that is not set."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the text."""
        if not str(value):
            self.fail("'' must be the path of a file or folder", param, ctx)
        return str(value)


def _finite_numbers(
    kind: click.ParamType, value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> tuple[float, ...]:
    """Parse numbers that are separated by commas."""
    try:
        numbers = tuple(float(part) for part in str(value).split(","))
    except ValueError:
        kind.fail(f"'{value}' is not a list of numbers such as 2,5,10", param, ctx)
    if not all(math.isfinite(number) for number in numbers):
        kind.fail(f"'{value}' is not finite; all numbers must be finite", param, ctx)
    return numbers


def _two_integers(
    kind: click.ParamType,
    text: str,
    between: str,
    form: str,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> tuple[int, int]:
    """Return two integers, separated by a given character."""
    try:
        first, second = (int(part) for part in text.lower().split(between))
    except ValueError:
        kind.fail(f"'{text}' is not {form}", param, ctx)
    return first, second
