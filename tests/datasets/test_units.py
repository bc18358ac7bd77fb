"""Units of data sets: what is velocity becomes m/s, and nothing else passes as m/s."""

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis.datasets.summary import summarise
from cgmgm_seis.datasets.units import record_units
from cgmgm_seis.datasets.windows import read_records, scan_records
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.window import Window

WINDOW = Window("ZNE", 100.0, -5.0, N_SAMPLES)
FACTORS = {
    "m/s": 1.0,
    "mps": 1.0,
    "km/s": 1e3,
    "cm/s": 1e-2,
    "mm/s": 1e-3,
    "um/s": 1e-6,
    "\N{MICRO SIGN}m/s": 1e-6,
    "nm/s": 1e-9,
    "M/S": 1.0,
    "cm s-1": 1e-2,
    "m/s_uncertain_gain": 1.0,
}
REFUSED = ("counts", "count", "m/s**2", "m/s/s", "cm/s^2", "gal", "g", "m", "normalized")
REFUSED = (*REFUSED, "none/normalized")
UNKNOWN = ("", "none", "unknown")


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    """The records of a small data set in m/s."""
    return read_records(write(tmp_path_factory.mktemp("units") / "mps"), WINDOW)[0]


def write(folder, change=lambda i, row, motion: None, **data_format):
    return write_dataset(folder, 4, 2, change, **data_format)


@pytest.mark.parametrize("unit", FACTORS)
def test_velocity_becomes_metres_per_second(motion, tmp_path, unit, caplog):
    folder = write(tmp_path / "set", unit=unit)
    expected = FACTORS[unit] * motion
    np.testing.assert_allclose(read_records(folder, WINDOW)[0], expected, rtol=1e-6)
    assert ("8 records are in units of" in caplog.text) == (FACTORS[unit] != 1.0)


@pytest.mark.parametrize("column", ["trace_units", "trace_unit"])
def test_the_unit_of_a_record_comes_before_that_of_the_data_format(motion, tmp_path, column):
    def change(event, row, motion):
        row[column] = "cm/s" if event else np.nan

    folder = write(tmp_path / "set", change, unit="nm/s")
    waveforms, scenario = read_records(folder, WINDOW)
    factors = np.where(scenario["source_id"] == "event0", 1e-9, 1e-2)[:, None, None]
    np.testing.assert_allclose(waveforms, factors * motion, rtol=1e-6)
    lazy, again = scan_records(folder, WINDOW)
    np.testing.assert_array_equal(lazy[:], waveforms)
    np.testing.assert_array_equal(lazy.part(np.array([7]))[:], waveforms[7:])
    pd.testing.assert_frame_equal(again, scenario)
    assert set(scenario[column]) == {"m/s"}


@pytest.mark.parametrize("unit", REFUSED)
def test_what_is_no_velocity_is_refused_with_what_to_do(tmp_path, unit):
    folder = write(tmp_path / "set", unit=unit)
    with pytest.raises(DatasetError, match=r"but must be velocity.*from-seisbench`") as error:
        read_records(folder, WINDOW)
    assert f"is in {unit}, " in str(error.value)
    said = dict(summarise(folder, WINDOW).lines)
    assert said["train would"].startswith(f"fail: The data set is in {unit}, ")


@pytest.mark.parametrize("unit", UNKNOWN)
def test_units_that_are_not_stated_are_asked_for(motion, tmp_path, unit):
    folder = write(tmp_path / "set", unit=unit)
    with pytest.raises(DatasetError, match=r"does not state the units .* give them with --units"):
        read_records(folder, WINDOW)
    waveforms, _ = read_records(folder, WINDOW, units="cm/s")
    np.testing.assert_allclose(waveforms, 0.01 * motion, rtol=1e-6)
    with pytest.raises(DatasetError, match="units = 'furlong' is not known"):
        read_records(folder, WINDOW, units="furlong")


def test_given_units_do_not_contradict_the_data_set(tmp_path):
    folder = write(tmp_path / "set", unit="mps")
    assert len(read_records(folder, WINDOW, units="m/s")[0]) == 8
    with pytest.raises(DatasetError, match=r"must be left out, because .* states its units: mps"):
        read_records(folder, WINDOW, units="cm/s")


def test_counts_with_the_unit_of_velocity_are_refused(tmp_path):
    folder = write(tmp_path / "set", unit="mps", instrument_response="not restituted")
    with pytest.raises(DatasetError, match=r"is in mps \(instrument response: not restituted\)"):
        read_records(folder, WINDOW)


def test_records_in_other_units_are_left_out_and_counted(motion, tmp_path):
    def change(event, row, motion):
        row["trace_units"] = ("counts", "m/s**2", "m/s", "km/s")[event]

    waveforms, scenario = read_records(write(tmp_path / "set", change), WINDOW)
    assert scenario["source_id"].tolist() == ["event2"] * 2 + ["event3"] * 2
    assert scenario.attrs["left_out"] == {"not in a unit of velocity": 4}
    np.testing.assert_allclose(waveforms[2:], 1e3 * motion[6:], rtol=1e-6)
    with pytest.raises(DatasetError, match=r"4 of 8 records cannot be used .4 not in a unit"):
        read_records(tmp_path / "set", WINDOW, strict=True)


def test_normalised_records_are_used_as_they_are(motion, tmp_path, caplog):
    waveforms, _ = read_records(write(tmp_path / "set", unit="normalised"), WINDOW)
    np.testing.assert_array_equal(waveforms, motion)
    assert "records are normalised" in caplog.text


def test_ground_motion_of_instance_by_the_name_of_its_folder(tmp_path):
    def change(event, row, motion):
        row["trace_channel"] = "HN" if event == 1 else "HH"

    folder = write(tmp_path / "instancegm", change, unit="")
    expected = ["m/s"] * 2 + ["m/s^2"] * 2 + ["m/s"] * 4
    assert record_units(WaveformDataset(folder, component_order="ZNE")).tolist() == expected
    _, scenario = read_records(folder, WINDOW)
    assert scenario.attrs["left_out"] == {"not in a unit of velocity": 2}
