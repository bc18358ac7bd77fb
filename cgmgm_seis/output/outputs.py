"""Output folders with waveforms, StationXML, QuakeML, measures, provenance and figures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from obspy import Stream

from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.output.provenance import channel_comment
from cgmgm_seis.output.records import Arrivals, RecordsPart
from cgmgm_seis.output.sac import SAC_GAIN, write_sac
from cgmgm_seis.output.seisbench_writer import write_dataset
from cgmgm_seis.output.stationxml import FirstStations, write_stationxml
from cgmgm_seis.output.text_formats import write_at2, write_csv
from cgmgm_seis.scenario.codes import check_format_codes
from cgmgm_seis.scenario.quantities import Quantity, find_quantity
from cgmgm_seis.scenario.streams import to_catalog
from cgmgm_seis.storage.folders import PROVENANCE_FILE, complete_folder
from cgmgm_seis.storage.json_files import json_bytes
from cgmgm_seis.storage.obspy_bytes import to_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES_FILE = "measures.csv"
# Counts per SI unit in formats with units of their own: nm, nm/s and nm/s/s in SAC, g in AT2.
GAINS = {"sac": SAC_GAIN, "at2": 1.0 / GRAVITY}
# Traces converted to MiniSEED at once.
TRACES = 300


def write_outputs(
    folder: str | Path,
    stream: Stream,
    scenario: pd.DataFrame,
    provenance: Mapping[str, Any],
    *,
    arrivals: Arrivals,
    format: str = "mseed",
    measures: pd.DataFrame | None = None,
    figures: Mapping[str, "tuple[Figure, str]"] | None = None,
    overwrite: bool = False,
) -> list[tuple[Path, str]]:
    """Write generated records and their metadata to a new folder.

    The folder is written completely or not at all: files are written to a hidden folder next to
    it, which is renamed at the end and deleted after any exception (also Ctrl-C or a full disk).

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder to create.
    stream : obspy.Stream
        Stream created by `to_stream` from `scenario`, with traces in the same order.
    scenario : pandas.DataFrame
        Scenario table.
    provenance : mapping
        Result of `cgmgm_seis.output.provenance.provenance`.
    arrivals : tuple of numpy.ndarray
        P and S times of every scenario row, seconds after the origin time.
    format : str
        "mseed" (one file), "sac" (one file per trace, nm/s and so on), "seisbench" (a SeisBench
        data set), "at2" (one file per trace, acceleration in g) or "csv" (one file per record).
    measures : pandas.DataFrame, optional
        Table of the measures of the records, see `cgmgm_seis.output.measures_table`.
    figures : mapping, optional
        Figures and their descriptions by file name, as (figure, description).
    overwrite : bool
        Replace an existing folder that was written by this function.

    Returns
    -------
    list of (pathlib.Path, str)
        Files written and a one-line description of each.

    Raises
    ------
    OutputError
        If the format is unknown or cannot hold a code, the folder exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from cgmgm_seis import CGMGM, from_points
    >>> from cgmgm_seis.output.provenance import provenance
    >>> model = CGMGM.from_pretrained("bay_area")
    >>> table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2)])
    >>> stream = model.generate(table, seed=1)
    >>> made_by = provenance(model, table, n_realizations=1, seed=1)
    >>> arrivals = model.travel_times.at(table["source_depth_km"], table["path_ep_distance_km"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_outputs(
    ...         f"{folder}/out", stream, table, made_by, arrivals=arrivals
    ...     )
    >>> written[0][1]
    'MiniSEED: 3 traces, velocity in m/s'
    """
    with new_outputs(folder, scenario, format=format, overwrite=overwrite) as outputs:
        outputs.write_waveforms([RecordsPart(stream, scenario, arrivals)], stream[0].stats.quantity)
        outputs.write_metadata(provenance, measures, figures)
    return outputs.written


@contextmanager
def new_outputs(
    folder: str | Path, scenario: pd.DataFrame, *, format: str = "mseed", overwrite: bool = False
) -> Iterator["Outputs"]:
    """Yield a writer of an output folder, which takes the records part by part.

    Parameters, errors and what happens after an exception are those of `write_outputs`.
    """
    if format not in FORMATS:
        raise OutputError(f"format = '{format}' is not known; use one of {', '.join(FORMATS)}.")
    check_format_codes(scenario, format)
    folder = Path(folder)
    with complete_folder(folder, overwrite) as temporary:
        yield Outputs(folder, temporary, scenario, format)


class Outputs:
    """Files of an output folder that is being written, see `new_outputs`.

    Parameters
    ----------
    folder, temporary : pathlib.Path
        The folder, and the one to write to.
    scenario : pandas.DataFrame
        The whole scenario table.
    format : str
        As in `write_outputs`.

    Attributes
    ----------
    written : list of (pathlib.Path, str)
        Files written and a one-line description of each.
    """

    def __init__(self, folder: Path, temporary: Path, scenario: pd.DataFrame, format: str) -> None:
        self.folder = folder
        self.temporary = temporary
        self.scenario = scenario
        self.format = format
        self.first_stations = FirstStations()
        self.written: list[tuple[Path, str]] = []

    def write_waveforms(self, parts: Iterable[RecordsPart], quantity: str) -> None:
        """Write the records of successive rows, of which only one part is used at a time."""
        write = FORMATS[self.format]
        self._wrote(write(self.temporary, self._noted(parts), find_quantity(quantity)))

    def _noted(self, parts: Iterable[RecordsPart]) -> Iterator[RecordsPart]:
        """Yield records, and keep the headers that StationXML needs."""
        for part in parts:
            self.first_stations.add(part.stream, part.scenario)
            yield part

    def write_metadata(
        self,
        provenance: Mapping[str, Any],
        measures: pd.DataFrame | None = None,
        figures: Mapping[str, "tuple[Figure, str]"] | None = None,
    ) -> None:
        """Write everything else; the waveforms must have been written."""
        inventory = self.first_stations.inventory(
            channel_comment(provenance), GAINS.get(self.format, 1.0)
        )
        stations = self.scenario.drop_duplicates(["station_network_code", "station_code"])
        channels = len(stations) * len(inventory[0][0].channels)
        write_stationxml(self.temporary / "stations.xml", inventory, stations)
        catalog = to_catalog(self.scenario)
        (self.temporary / "events.xml").write_bytes(to_bytes(catalog, "QUAKEML"))
        (self.temporary / PROVENANCE_FILE).write_bytes(json_bytes(provenance))
        self._wrote(
            {
                "stations.xml": f"StationXML: {len(stations)} stations, {channels} channels",
                "events.xml": f"QuakeML: {self.scenario['source_id'].nunique()} event(s)",
                PROVENANCE_FILE: "provenance: versions, weights, scenario, seed, settings",
            }
        )
        if measures is not None:
            measures.to_csv(self.temporary / MEASURES_FILE, index=False, float_format="%.9g")
            self._wrote({MEASURES_FILE: f"intensity measures of {len(measures)} records"})
        for name, (figure, description) in (figures or {}).items():
            figure.savefig(self.temporary / name)
            self._wrote({name: description})

    def _wrote(self, descriptions: Mapping[str, str]) -> None:
        self.written += [(self.folder / name, text) for name, text in descriptions.items()]


def write_miniseed(
    folder: Path, parts: Iterable[RecordsPart], quantity: Quantity
) -> dict[str, str]:
    """Write one MiniSEED file of 32-bit floats."""
    count = 0
    with (folder / "waveforms.mseed").open("wb") as file:
        for part in parts:
            # Some traces at a time, so that a part is not in memory twice.
            for first in range(0, len(part.stream), TRACES):
                some = part.stream[first : first + TRACES]
                file.write(to_bytes(some, "MSEED", encoding="FLOAT32"))
            count += len(part.stream)
    return {"waveforms.mseed": f"MiniSEED: {count} traces, {quantity.name} in {quantity.unit}"}


Writer = Callable[[Path, Iterable[RecordsPart], Quantity], dict[str, str]]
FORMATS: dict[str, Writer] = {
    "mseed": write_miniseed,
    "sac": write_sac,
    "seisbench": write_dataset,
    "at2": write_at2,
    "csv": write_csv,
}
