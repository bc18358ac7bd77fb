"""Archives with untidy metadata and waveforms, from files to records of known velocity."""

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from seisbench.data import WaveformDataset
from small_archives import (
    GAIN,
    ORIGIN,
    PGV,
    G,
    catalogue,
    channel,
    counts,
    inventory,
    sensitivity,
    write,
)

from cgmgm_seis.datasets.archive import Processing, import_records
from cgmgm_seis.scenario.obspy_files import read_inventory

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
COMPONENTS = "ZNE"
KNET = """Origin Time       2020/01/01 09:01:00
Lat.              38.000
Long.             -122.000
Depth. (km)       8
Mag.              4.0
Station Code      AAA001
Station Lat.      37.9000
Station Long.     -122.0000
Station Height(m) 34
Record Time       2020/01/01 09:00:15
Sampling Freq(Hz) 100Hz
Duration Time(s)  160
Dir.              {direction}
Scale Factor      3920(gal)/6182761
Max. Acc. (gal)   1.0
Last Correction   2020/01/01 09:00:00
Memo.
"""


@pytest.fixture
def make(tmp_path):
    """Return a function that imports traces or a folder, and returns the row of the only record."""

    def imported(stream, stations, **settings):
        metadata = import_records(
            catalogue(),
            stations,
            write(stream, tmp_path / "raw") if isinstance(stream, obspy.Stream) else stream,
            tmp_path / "set",
            Processing(**settings),
        )
        (row,) = metadata.to_dict("records")
        return row

    return imported


def test_a_record_of_known_velocity(make, tmp_path):
    row = make(counts(), inventory())
    assert row["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)
    assert row["trace_units_source"] == "counts, response removed, integrated"
    assert row["station_sensor_depth_m"] == 0.0
    peaks = np.abs(WaveformDataset(tmp_path / "set").get_waveforms(0)).max(axis=1)
    assert peaks == pytest.approx([0.01, 0.02, 0.03], rel=1e-3)


def test_accelerometers_in_g(make):
    channels = [channel(f"HN{c}", unit="G", gain=G * GAIN) for c in COMPONENTS]
    assert make(counts(), inventory(channels))["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)


def test_left_out_by_name(make, tmp_path):
    """An instrument of an unknown unit; the other instrument of the station is used."""
    channels = [channel(f"HH{c}", unit="(M/S)**2") for c in COMPONENTS]
    channels += [channel(f"HN{c}") for c in COMPONENTS]
    row = make(counts(code="HH") + counts(), inventory(channels))
    assert row["trace_channel"] == "HN"
    (reason,) = pd.read_csv(tmp_path / "set" / "left_out.csv")["reason"]
    assert reason.startswith("XX.AAA..HH has no usable response: the input unit of HH")
    assert "'(M/S)**2'" in reason


def test_sensitivities_and_missing_azimuths(make):
    channels = [channel(f"HN{c}", response=sensitivity()) for c in COMPONENTS]
    channels[0].azimuth = None
    row = make(counts(), inventory(channels))
    assert row["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)
    assert row["trace_units_source"] == "counts, sensitivity removed, integrated"


def test_boreholes_come_last_and_their_depth_is_kept(make, tmp_path):
    channels = [channel(f"HN{c}", "00", depth=200.0) for c in COMPONENTS]
    below, surface = counts(location="00"), counts(location="10")
    for trace in below:
        trace.data //= 2
    row = make(below + surface, inventory(channels + [channel(f"HN{c}", "10") for c in COMPONENTS]))
    assert (row["station_location_code"], row["station_sensor_depth_m"]) == ("10", 0.0)
    assert row["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)


def test_only_a_borehole(make):
    row = make(
        counts(location="00"),
        inventory([channel(f"HN{c}", "00", depth=200.0) for c in COMPONENTS]),
    )
    assert (row["station_location_code"], row["station_sensor_depth_m"]) == ("00", 200.0)


def test_one_location_code_for_each_component(make):
    stream, channels = counts(), []
    for trace, location in zip(stream, ("37", "38", "39"), strict=True):
        trace.stats.location = location
        channels.append(channel(trace.stats.channel, location))
    row = make(stream, inventory(channels))
    assert row["trace_source_channels"] == "XX.AAA.37.HNZ XX.AAA.38.HNN XX.AAA.39.HNE"
    assert row["station_location_code"] == "37"
    assert row["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)


def test_overlaps_that_contradict_each_other_are_flagged(make):
    stream = counts()
    again = stream[1].slice(ORIGIN + 30, ORIGIN + 33).copy()
    again.data = again.data + 1
    stream.append(again)
    row = make(stream, inventory(), gaps="flag")
    assert row["trace_has_gaps"]
    assert row["trace_gap_s"] == pytest.approx(3.01, abs=1e-6)


def test_knet_records(make, tmp_path):
    """Directions for components, and the scale in the header instead of a response."""
    (tmp_path / "raw").mkdir()
    gain = 100.0 * 6182761 / 3920  # counts per m/s**2
    for trace, direction in zip(counts(gain=gain), ("U-D", "N-S", "E-W"), strict=True):
        lines = [" ".join(map(str, row)) for row in np.reshape(trace.data, (-1, 8))]
        path = tmp_path / "raw" / f"AAA001{direction[0]}{direction[-1]}".replace("-", "")
        path.write_text(KNET.format(direction=direction) + "\n".join(lines) + "\n")
    stations = inventory([], station="AAA001")
    stations[0].code = "BO"
    row = make(tmp_path / "raw", stations)
    assert row["trace_pgv_mps"] == pytest.approx(PGV, rel=1e-3)
    assert row["trace_source_channels"] == "BO.AAA001..HNE BO.AAA001..HNN BO.AAA001..HNZ"


# Expected peak velocities of NC.CTA, m/s; none where the record must be left out.
TRUE_PGV = 0.0241
KEPT = {
    "01-log-channel": None,
    "02-epoch-overlap": TRUE_PGV,
    "02b-epoch-overlap-elsewhere": TRUE_PGV,
    "02c-same-file-twice": TRUE_PGV,
    "04-contradicting-overlap": None,
    "05-azimuth-missing": TRUE_PGV,
    "06-unknown-input-units": TRUE_PGV * G,  # the file gives the gain of M/S**2 as that of G
    "08-rate-jitter": TRUE_PGV,
    "18-32bit": TRUE_PGV,
    "25-location-per-component": TRUE_PGV,
    "26-borehole": TRUE_PGV,
    "29-observed-junk": TRUE_PGV,
    "30-sensitivity-only": TRUE_PGV,
}


@pytest.mark.parametrize("case", KEPT)
def test_cases(case, tmp_path):
    folder = CASES / case
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    stations = read_inventory(
        folder / ("[ab]/*.xml" if case == "02c-same-file-twice" else "stations.xml")
    )
    metadata = import_records(folder / "event.xml", stations, folder / "wf", tmp_path / "set")
    metadata = metadata.set_index("station_code")
    assert metadata.loc["1847", "trace_pgv_mps"] == pytest.approx(0.0588, abs=1e-4)
    if KEPT[case] is None:
        assert "CTA" not in metadata.index
        assert "NC.CTA" in pd.read_csv(tmp_path / "set" / "left_out.csv")["station"].tolist()
    else:
        assert metadata.loc["CTA", "trace_pgv_mps"] == pytest.approx(KEPT[case], rel=5e-3)
