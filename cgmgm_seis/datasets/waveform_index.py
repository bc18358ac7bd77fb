"""Find recordings by station and time, in files of any layout or in SDS archives."""

import logging
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Any

import obspy
from obspy import Stream, UTCDateTime
from tqdm import tqdm

from cgmgm_seis.errors import DatasetError, reason_of
from cgmgm_seis.scenario.obspy_files import (
    expand,
)

logger = logging.getLogger(__name__)

# Day files of SDS hold the records that begin on their day; the last may end this much later,
# seconds.
DAY_BORDER_S = 120.0

Paths = str | Path | Iterable[str | Path]


class WaveformIndex:
    """Which file holds which channel at what time.

    Files are found by their headers, all of which are read once; the day files of an SDS archive
    (``YEAR/NET/STA/CHAN.D/NET.STA.LOC.CHAN.D.YEAR.DAY``, as SeisComP and ObsPy's
    `obspy.clients.filesystem.sds` lay it out) by their names, and only those of a wanted station
    and day are opened.

    Parameters
    ----------
    paths : path(s)
        Files, where ``*``, ``?``, ``[]`` and, for all folders below, ``**`` are expanded; roots
        of SDS archives; other folders, with all files below.
    progress : bool
        Show a progress bar where stderr is a terminal.

    Attributes
    ----------
    unreadable : dict
        Files that cannot be read, and why; they are skipped.

    Raises
    ------
    DatasetError
        If there is no such file.
    """

    def __init__(self, paths: Paths, progress: bool = False) -> None:
        self.unreadable: dict[str, str] = {}
        # By NET.STA: channel id, first and last time, file.
        self._spans: dict[str, list[tuple[str, UTCDateTime, UTCDateTime, Path]]] = defaultdict(list)
        self._sds_roots: list[Path] = []
        patterns: list[str | Path] = []
        for path in [paths] if isinstance(paths, str | Path) else paths:
            if is_sds(path):
                self._sds_roots.append(Path(path))
            else:
                folder = Path(path).is_dir()
                patterns.append(Path(escape(str(path))) / "**" if folder else path)
        files = expand(patterns, DatasetError)
        for path in tqdm(files, unit="file", desc="Headers", disable=None if progress else True):
            for trace in self._read(path, headonly=True):
                stats = trace.stats
                self._spans[f"{stats.network}.{stats.station}"].append(
                    (trace.id, stats.starttime, stats.endtime, path)
                )

    def read(self, station: str, start: UTCDateTime, end: UTCDateTime) -> dict[str, Stream]:
        """Return a station's recordings between two times, by instrument (NET.STA.LOC.BI)."""
        wanted = {
            path: None
            for _, first, last, path in self._spans.get(station, ())
            if first <= end and last >= start
        }
        network, code = station.split(".")
        for root in self._sds_roots:
            wanted |= dict.fromkeys(_day_files(root, network, code, start, end))
        stream = Stream()
        for path in wanted:
            part = self._read(path, starttime=start, endtime=end)
            stream += part.select(network=network, station=code)
        instruments: dict[str, Stream] = {}
        for trace in sorted(stream, key=lambda trace: trace.id):
            instruments.setdefault(trace.id[:-1], Stream()).append(trace)
        return instruments

    def _read(self, path: Path, **options: Any) -> Stream:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                stream = obspy.read(str(path).replace("[", "[[]"), **options)
            damage = [f"{w.message}" for w in caught if "MSEED" in w.category.__name__]
        except Exception as error:  # ObsPy's readers raise whatever their parsers raise
            stream, damage = Stream(), [reason_of(error)]
        if damage and str(path) not in self.unreadable:
            reason = damage[0].splitlines()[0].rstrip(".")
            self.unreadable[str(path)] = reason
            what = "skipped" if not stream else "damaged, what can be read is used"
            logger.warning("%s is %s: %s.", path, what, reason)
        return stream


def is_sds(folder: str | Path) -> bool:
    """Return whether a folder is the root of an SDS archive: ``YEAR/NET/STA/CHAN.D`` below."""
    return any(Path(folder).glob("[0-9][0-9][0-9][0-9]/*/*/*.D/"))


def _day_files(
    root: Path, network: str, station: str, start: UTCDateTime, end: UTCDateTime
) -> Iterator[Path]:
    """Yield a station's files of the days that a window touches."""
    day = (start - DAY_BORDER_S).date
    while day <= end.date:
        name = f"{network}.{station}.*.*.D.{day:%Y.%j}"
        yield from sorted((root / f"{day:%Y}" / network / station).glob(f"*.D/{name}"))
        day += timedelta(days=1)
