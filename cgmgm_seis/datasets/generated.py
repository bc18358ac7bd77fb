"""Reading folders of generated records as a Stream that knows places and distances."""

from pathlib import Path

import numpy as np
import obspy
from obspy import Inventory, Stream, Trace, UTCDateTime
from obspy.core import AttribDict
from obspy.core.inventory import Channel
from obspy.geodetics import gps2dist_azimuth
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.metadata import open_as_written
from cgmgm_seis.datasets.windows import restore_codes
from cgmgm_seis.errors import OutputError
from cgmgm_seis.output.seisbench_writer import METADATA_FILE
from cgmgm_seis.scenario.events import preferred_origin
from cgmgm_seis.scenario.obspy_files import read_catalog, read_file, read_inventory
from cgmgm_seis.scenario.quantities import QUANTITIES

# Files with waveforms of `generate` and `grid`, and folders that may be data sets.
WAVEFORM_FILES = ("waveforms.mseed", "sac/*.sac", "waveforms/realization_*/*.mseed")
DATASETS = (".", "waveforms")


def read_output(folder: str | Path) -> Stream:
    """Read the records in a folder written by ``generate`` or ``grid``.

    Waveforms are MiniSEED, SAC or a SeisBench data set; places come from the StationXML beside
    them, and the source from the QuakeML, since MiniSEED has neither.

    Parameters
    ----------
    folder : str or pathlib.Path
        The output folder.

    Returns
    -------
    obspy.Stream
        Records in SI units, as those of `GroundMotionModel.generate`: ``stats`` contain
        ``coordinates`` (latitude, longitude, elevation in metres), ``distance`` (epicentral,
        metres), ``back_azimuth`` (degrees) and ``quantity``.

    Raises
    ------
    OutputError
        If the folder lacks waveforms, StationXML or QuakeML.

    Examples
    --------
    >>> stream = read_output("cgmgm-output")  # doctest: +SKIP
    >>> stream.plot(type="section")  # doctest: +SKIP
    """
    folder = Path(folder)
    for name in ("stations.xml", "events.xml"):
        if not (folder / name).is_file():
            raise OutputError(
                f"{folder} has no {name}; it must be a folder that generate or grid has written "
                "with waveforms."
            )
    channels = _channels(read_inventory(folder / "stations.xml"))
    events = read_catalog(folder / "events.xml")
    origins = [origin for event in events if (origin := preferred_origin(event)) is not None]
    if not origins:
        raise OutputError(f"{folder}/events.xml has no origin; every event must have one.")
    stream, in_units = _waveforms(folder)
    for trace in stream:
        stats = trace.stats
        if trace.id not in channels:
            raise OutputError(f"{folder}/stations.xml lacks the channel {trace.id} of a record.")
        channel = channels[trace.id]
        gain = float(channel.response.instrument_sensitivity.value)
        if not in_units and gain != 1.0:
            trace.data = (trace.data / gain).astype(np.float32)
        # Records of a station do not overlap, so theirs is the nearest origin time.
        origin = min(origins, key=lambda origin: abs(origin.time - stats.starttime))
        stats.coordinates = AttribDict(
            latitude=float(channel.latitude),
            longitude=float(channel.longitude),
            elevation=float(channel.elevation),
        )
        stats.distance, _, stats.back_azimuth = gps2dist_azimuth(
            origin.latitude, origin.longitude, channel.latitude, channel.longitude
        )
        stats.quantity = _quantity(channel)
    return stream


def read_waveforms(folder: Path) -> Stream:
    """Return the records in MiniSEED and SAC files of ``generate`` or ``grid``, none if none exist.

    Their samples are as in the files: multiplied by the gain in the StationXML.
    """
    stream = Stream()
    for path in sorted(path for pattern in WAVEFORM_FILES for path in folder.glob(pattern)):
        stream += read_file(obspy.read, path, "waveform", OutputError)
    return stream


def _channels(inventory: Inventory) -> dict[str, Channel]:
    """Return the channels of an inventory by trace id."""
    return {
        f"{network.code}.{station.code}.{channel.location_code}.{channel.code}": channel
        for network in inventory
        for station in network
        for channel in station
    }


def _quantity(channel: Channel) -> str:
    """Return the quantity of a channel's records."""
    unit = channel.response.instrument_sensitivity.input_units
    return next(name for name, known in QUANTITIES.items() if known.stationxml_unit == unit)


def _waveforms(folder: Path) -> tuple[Stream, bool]:
    """Return the records of a folder, and whether they are in SI units whatever their gain."""
    for name in DATASETS:
        if any((folder / name).glob(METADATA_FILE.replace(".", "*."))):
            return _of_dataset(folder / name), True
    stream = read_waveforms(folder)
    if not stream:
        raise OutputError(
            f"{folder} has no waveforms that can be read; they must be MiniSEED, SAC or a "
            "SeisBench data set."
        )
    return stream, False


def _of_dataset(folder: Path) -> Stream:
    """Return the records of a data set, one trace for each component."""
    dataset = open_as_written(WaveformDataset, folder, component_order="ZNE")
    restore_codes(dataset)
    dataset.component_order = dataset.metadata["trace_component_order"].iloc[0]
    stream = Stream()
    for number in range(len(dataset)):
        samples, row = dataset.get_sample(number)
        header = {
            "network": row["station_network_code"],
            "station": row["station_code"],
            "location": row["station_location_code"],
            "sampling_rate": row["trace_sampling_rate_hz"],
            "starttime": UTCDateTime(row["trace_start_time"]),
        }
        for component, data in zip(dataset.component_order, samples, strict=True):
            channel = f"{row['trace_channel']}{component}"
            stream += Trace(np.ascontiguousarray(data, np.float32), {**header, "channel": channel})
    return stream
