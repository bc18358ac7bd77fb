"""Reading the parameters of a request: names, numbers, times, and lists of codes."""

import math
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from obspy import UTCDateTime

from cgmgm_seis.serve.limits import RequestError


class Parameters:
    """The parameters of one request, by their long names in lower case.

    Parameters
    ----------
    given : iterable of (str, str)
        Names and values as sent; empty values count as not given.
    known : collection of str
        Names that the service knows.
    aliases : mapping
        Short name to long name.

    Raises
    ------
    RequestError
        If a name is unknown or given twice.

    Examples
    --------
    >>> Parameters([("net", "BK"), ("dt", "0.01")], ("network", "dt"), {"net": "network"}).text(
    ...     "network"
    ... )
    'BK'
    """

    def __init__(
        self,
        given: Iterable[tuple[str, str]],
        known: Collection[str],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._values: dict[str, str] = {}
        for sent, value in given:
            name = sent.strip().lower()
            name = (aliases or {}).get(name, name)
            if name not in known:
                raise RequestError(
                    f"Parameter '{sent}' is not known; it must be one of {', '.join(known)}."
                )
            if name in self._values:
                raise RequestError(f"Parameter '{name}' is given twice; give it once.")
            if value.strip():
                self._values[name] = value.strip()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """Return a value as it was sent."""
        return self._values.get(name, default)

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return a value, in lower case, that must be one of some words."""
        value = self.text(name, default).lower()
        if value not in choices:
            raise RequestError(f"{name} = '{value}' must be one of {', '.join(choices)}.")
        return value

    def number(
        self, name: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """Return a finite number within limits."""
        if name not in self:
            return default
        value = finite(name, self._values[name])
        if not low <= value <= high:
            raise RequestError(f"{name} = {value:g} must be from {low:g} to {high:g}.")
        return value

    def required(self, name: str) -> float:
        """Return a finite number that must be given."""
        if name not in self:
            raise RequestError(f"Parameter '{name}' is missing.")
        return finite(name, self._values[name])

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return an integer within limits."""
        text = self.text(name, str(default))
        # The limit of digits comes first: Python refuses to convert thousands of them.
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise RequestError(f"{name} = '{text[:40]}' must be an integer from {low} to {high}.")
        return int(text)

    def numbers(self, name: str, counts: Collection[int]) -> list[float]:
        """Return finite numbers separated by commas."""
        values = [finite(name, part) for part in self._values[name].split(",")]
        if len(values) not in counts:
            raise RequestError(
                f"{name} has {len(values)} numbers; it must have {' or '.join(map(str, counts))}."
            )
        return values

    def time(self, name: str, default: UTCDateTime) -> UTCDateTime:
        """Return an absolute time, UTC."""
        return as_time(name, self._values[name]) if name in self else default


def body_lines(body: str) -> tuple[list[tuple[str, str]], list[str]]:
    r"""Return the parameters, lines ``name=value``, and the other lines of the body of a request.

    Examples
    --------
    >>> body_lines("format=xml\n\nBK BKS NETCODE=XX\n")
    ([('format', 'xml')], ['BK BKS NETCODE=XX'])
    """
    given, others = [], []
    for line in filter(None, map(str.strip, body.splitlines())):
        if "=" in line.split()[0]:
            name, _, value = line.partition("=")
            given.append((name, value))
        else:
            others.append(line)
    return given, others


def as_time(name: str, text: str) -> UTCDateTime:
    """Return the time of a text such as 2020-01-01T00:00:00, or raise `RequestError`."""
    try:
        return UTCDateTime(text)
    except Exception as error:  # ObsPy raises several kinds of errors
        raise RequestError(
            f"{name} = '{text[:40]}' must be a time such as 2020-01-01T00:00:00."
        ) from error


def matches(code: str, patterns: str) -> bool:
    """Return whether a code matches one of some patterns with ``*`` and ``?``.

    Parameters
    ----------
    code : str
        Network, station, location or channel code.
    patterns : str
        Patterns separated by commas; ``--`` is the empty code, and no pattern matches all.

    Examples
    --------
    >>> matches("HXZ", "B??,H?Z"), matches("", "--"), matches("00", "--")
    (True, True, False)
    """
    if not patterns:
        return True
    wanted = ("" if part.strip() == "--" else part.strip() for part in patterns.split(","))
    return any(fnmatchcase(code, pattern) for pattern in wanted)


def finite(name: str, text: str) -> float:
    """Return the finite number of a text, or raise `RequestError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RequestError(f"{name} = '{text[:40]}' must be a finite number.")
    return value
