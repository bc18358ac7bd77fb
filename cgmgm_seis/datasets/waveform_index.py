"""Finding waveforms by station and time, in arbitrary files or SDS archives."""

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
from tqdm.auto import tqdm

from cgmgm_seis.datasets.traces import instruments_of
from cgmgm_seis.errors import DatasetError, reason_of, shortened
from cgmgm_seis.scenario.obspy_files import expand, with_home

logger = logging.getLogger(__name__)

# Day files of an SDS archive contain the records that start on that day; the last one may end this
# long after midnight, seconds.
DAY_BORDER_S = 120.0

Paths = str | Path | Iterable[str | Path]


class WaveformIndex:
    """Index of the channels and time spans of waveform files.

    The headers of all files are read once.  Files of an SDS archive
    (``YEAR/NET/STA/CHAN.D/NET.STA.LOC.CHAN.D.YEAR.DAY``, the layout of SeisComP and ObsPy's
    `obspy.clients.filesystem.sds`) are found by name instead, and only those of the requested
    station and days are opened.

    Parameters
    ----------
    paths : path(s)
        Files, where ``*``, ``?``, ``[]`` and ``**`` (all subfolders) are expanded; root folders
        of SDS archives; other folders, with all files in them and their subfolders.
    progress : bool
        Show a progress bar if stderr is a terminal.

    Attributes
    ----------
    unreadable : dict
        Files that cannot be read, with the reason; they are skipped.

    Raises
    ------
    DatasetError
        If a file does not exist.
    """

    def __init__(self, paths: Paths, progress: bool = False) -> None:
        self.unreadable: dict[str, str] = {}
        # By NET.STA: trace id, start time, end time, file.
        self._spans: dict[str, list[tuple[str, UTCDateTime, UTCDateTime, Path]]] = defaultdict(list)
        self._sds_roots: list[Path] = []
        patterns: list[str | Path] = []
        for given in map(with_home, [paths] if isinstance(paths, str | Path) else paths):
            if is_sds(given):
                self._sds_roots.append(Path(given))
            else:
                patterns.append(Path(escape(given)) / "**" if Path(given).is_dir() else given)
        files = expand(patterns, DatasetError)
        for path in tqdm(files, unit="file", desc="Headers", disable=None if progress else True):
            for trace in self._read(path, headonly=True):
                stats = trace.stats
                self._spans[f"{stats.network}.{stats.station}"].append(
                    (trace.id, stats.starttime, stats.endtime, path)
                )

    @property
    def stations(self) -> list[str]:
        """All stations with waveforms, NET.STA."""
        folders = [path for root in self._sds_roots for path in root.glob("[0-9]*/*/*/")]
        return sorted({*self._spans, *(f"{path.parent.name}.{path.name}" for path in folders)})

    def read(self, station: str, start: UTCDateTime, end: UTCDateTime) -> dict[str, Stream]:
        """Return the waveforms of a station between two times, by instrument (NET.STA.LOC.BI).

        Overlaps and text channels are treated as in `instruments_of`.
        """
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
        return instruments_of(stream)

    def spans(self) -> Iterator[tuple[str, str, UTCDateTime, UTCDateTime, Path]]:
        """Yield station (NET.STA), id, start, end and file of traces, except SDS archives."""
        for station, spans in self._spans.items():
            for trace_id, start, end, path in spans:
                yield station, trace_id, start, end, path

    def sds_stations(self) -> Iterator[tuple[str, Path]]:
        """Yield the stations (NET.STA) of SDS archives and their folders, one for each year."""
        for root in self._sds_roots:
            for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]/*/*/")):
                yield f"{folder.parent.name}.{folder.name}", folder

    def _read(self, path: Path, **options: Any) -> Stream:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                stream = obspy.read(str(path).replace("[", "[[]"), **options)
            damage = [f"{w.message}" for w in caught if "MSEED" in w.category.__name__]
        except Exception as error:  # ObsPy's readers pass on any error of their parsers
            stream, damage = Stream(), [_hint(path) or reason_of(error)]
        for trace in [trace for trace in stream if trace.id.count(".") != 3]:
            stream.remove(trace)
            damage.append(f"trace '{shortened(trace.id)}' has a dot in a code")
        if damage and str(path) not in self.unreadable:
            reason = damage[0].splitlines()[0].rstrip(".")
            self.unreadable[str(path)] = reason
            what = "skipped" if not stream else "damaged, only readable parts are used"
            logger.warning("%s is %s: %s.", path, what, reason)
        return stream


def is_sds(folder: str | Path) -> bool:
    """Return whether a folder is the root of an SDS archive, with ``YEAR/NET/STA/CHAN.D``."""
    return any(Path(folder).glob("[0-9][0-9][0-9][0-9]/*/*/*.D/"))


def _day_files(
    root: Path, network: str, station: str, start: UTCDateTime, end: UTCDateTime
) -> Iterator[Path]:
    """Yield the day files of a station that may overlap with a time window."""
    day = (start - DAY_BORDER_S).date
    while day <= end.date:
        name = f"{network}.{station}.*.*.D.{day:%Y.%j}"
        yield from sorted((root / f"{day:%Y}" / network / station).glob(f"*.D/{name}"))
        day += timedelta(days=1)


def _hint(path: Path) -> str:
    """Return why a file of a known format cannot be read, or nothing."""
    try:
        with path.open("rb") as file:
            newer = file.read(3) == b"MS\x03"
    except OSError:
        return ""
    return "MiniSEED 3, which ObsPy does not read; convert it to MiniSEED 2" if newer else ""
