"""Records of other quantities as files: units, channel codes and samples, read by ObsPy."""

import numpy as np
import obspy
import pytest
from obspy.io.stationxml.core import validate_stationxml
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.units import record_units, unit_factor
from cgmgm_seis.errors import OutputError
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.measures.quantities import in_quantity
from cgmgm_seis.output.outputs import write_outputs
from cgmgm_seis.output.quantities import converted
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.window import Window

# Unit of StationXML, channel code, number of IDEP, unit in texts, and output of ObsPy.
QUANTITIES = {
    "acceleration": ("m/s**2", "HNZ", 8, "m/s^2", "ACC"),
    "velocity": ("m/s", "HXZ", 7, "m/s", "VEL"),
    "displacement": ("m", "HXZ", 6, "m", "DISP"),
}


@pytest.fixture(scope="module")
def velocity():
    """Samples, scenario and Stream of two receivers and two realizations."""
    scenario = from_points(4.5, (37.938, -122.057), [(37.876, -122.236), (37.9, -122.0)])
    envelope = np.exp(-(((np.arange(1000) - 500) / 150.0) ** 2))
    samples = 1e-3 * envelope * np.random.default_rng(0).normal(size=(2, 2, 3, 1000))
    samples = samples.astype(np.float32)
    return samples, scenario, to_stream(samples, scenario, Window("ZNE", 100.0, -5.0, 1000))


def write(folder, stream, scenario, **options):
    provenance = {
        "model": {"class": "CGMGM", "weights": "tiny", "weights_version": "1"},
        "sampling": {"seed": 1},
        "trained_on": "nothing",
        "scenario": scenario.to_dict(orient="records"),
    }
    arrivals = np.array([3.0, 2.0]), np.array([5.0, 4.0])
    return write_outputs(folder, stream, scenario, provenance, arrivals=arrivals, **options)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_miniseed_sac_and_stationxml(velocity, quantity, tmp_path):
    samples, scenario, stream = velocity
    unit, code, idep, text, output = QUANTITIES[quantity]
    motion = converted(stream, quantity)
    assert stream[0].stats.channel == "HXZ"
    expected = in_quantity(samples, 100.0, quantity).reshape(12, 1000)
    for file_format, prefix in (("mseed", ""), ("sac", "n")):
        folder = tmp_path / file_format
        written = write(folder, motion, scenario, format=file_format)
        assert written[0][1].endswith(f"{quantity} in {prefix}{text}")
        assert validate_stationxml(str(folder / "stations.xml"))[0]
        inventory = obspy.read_inventory(folder / "stations.xml")
        channel = inventory[0][0][0]
        assert channel.code == code
        assert channel.response.instrument_sensitivity.input_units == unit
        assert channel.description == f"Generated ground {quantity}, realization 00"
        # The flat response, as evalresp computes it, leads back to SI units.
        gain = np.abs(
            channel.response.get_evalresp_response_for_frequencies(np.array([1.0]), output)
        )
        assert gain == pytest.approx({"mseed": 1.0, "sac": 1e9}[file_format], rel=1e-6)
        back = obspy.read(folder / "waveforms.mseed" if prefix == "" else folder / "sac" / "*")
        for trace, wanted in zip(motion, expected, strict=True):
            (found,) = back.select(id=trace.id)
            if prefix:
                assert found.stats.sac.idep == idep
            found.remove_sensitivity(inventory)
            np.testing.assert_allclose(found.data, wanted, rtol=1e-5, atol=1e-9)


def test_data_sets_say_their_unit(velocity, tmp_path):
    samples, scenario, stream = velocity
    for quantity, (_, code, _, text, _) in QUANTITIES.items():
        write(tmp_path / quantity, converted(stream, quantity), scenario, format="seisbench")
        dataset = WaveformDataset(tmp_path / quantity)
        assert dataset.data_format["measurement"] == quantity
        assert record_units(dataset).tolist() == [text] * 4
        assert dataset.metadata["trace_channel"].tolist() == [code[:2]] * 4
        np.testing.assert_allclose(
            dataset.get_waveforms(0), in_quantity(samples[0, 0], 100.0, quantity), rtol=1e-6,
            atol=1e-12,
        )  # fmt: skip
    assert unit_factor("mps2") == (1.0, True)


def test_at2_is_acceleration_in_g(velocity, tmp_path):
    samples, scenario, stream = velocity
    with pytest.raises(OutputError, match="quantity = 'velocity' must be acceleration in the form"):
        write(tmp_path / "out", stream, scenario, format="at2")
    write(tmp_path / "out", converted(stream, "acceleration"), scenario, format="at2")
    files = sorted((tmp_path / "out" / "at2").iterdir())
    assert len(files) == 12
    lines = files[2].read_text().splitlines()
    assert files[2].name == "SY.V0000.00.HNZ.20191231T235955.AT2"
    assert lines[2] == "ACCELERATION TIME SERIES IN UNITS OF G"
    # NPTS and DT, as readers of PEER's files find them.
    words = lines[3].replace("=", " ").replace(",", " ").split()
    assert (int(words[1]), float(words[3])) == (1000, 0.01)
    assert len(lines) == 4 + 1000 // 5
    found = np.array(" ".join(lines[4:]).split(), float) * GRAVITY
    expected = in_quantity(samples[0, 0, 0], 100.0, "acceleration")
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_csv_has_its_units_in_the_header(velocity, quantity, tmp_path):
    _, scenario, stream = velocity
    motion = converted(stream, quantity)
    written = write(tmp_path / "out", motion, scenario, format="csv")
    unit = QUANTITIES[quantity][3]
    assert written[0][1] == f"CSV: 4 files, one record each, {quantity} in {unit}"
    (path,) = (tmp_path / "out" / "csv").glob("SY.V0001.01.*")
    assert path.read_text().splitlines()[0] == f"time (s),Z ({unit}),N ({unit}),E ({unit})"
    values = np.loadtxt(path, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(values[:, 0], np.round(np.arange(1000) / 100.0 - 5.0, 6))
    for column, trace in zip(values[:, 1:].T, motion[9:], strict=True):
        np.testing.assert_array_equal(column.astype(np.float32), trace.data)
