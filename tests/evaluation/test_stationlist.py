"""ShakeMap's list of stations: its layout, what is left out, and the larger horizontal."""

import copy
import json
import logging

import numpy as np
import pytest

from cgmgm_seis import from_points
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.evaluation.given import read_given
from cgmgm_seis.evaluation.measures import ln_larger_horizontal, ln_rotd50
from cgmgm_seis.evaluation.stationlist import read_stationlist
from cgmgm_seis.models import load_model
from cgmgm_seis.scenario.sources import source

SOURCE = (37.9, -122.1)


def channel(name, flags=None, **values):
    """A channel of a list; the values of pga, pgv and sa(0.3)."""
    names = {"pga": "pga", "pgv": "pgv", "psa": "sa(0.3)", "long": "sa(3.0)"}
    amplitudes = [
        {
            "name": names[key],
            "value": value,
            "units": "cm/s" if key == "pgv" else "%g",
            "flag": (flags or {}).get(key, "0"),
            "ln_sigma": 0,
        }
        for key, value in values.items()
    ]
    return {"name": name, "amplitudes": amplitudes}


def station(code, channels, place=(37.8, -122.2), rhypo=16.0, **properties):
    return {
        "type": "Feature",
        "id": code,
        "geometry": {"type": "Point", "coordinates": [place[1], place[0]]},
        "properties": {
            "code": code,
            "network": code.partition(".")[0],
            "station_type": "seismic",
            "distances": {"rhypo": rhypo},
            "channels": channels,
            **properties,
        },
    }


# The amplitudes of CI.CRG are those of the example in ShakeMap's manual, whose features say
# "pga": 0.0106 and "pgv": 0.0174.
CRG = station(
    "CI.CRG",
    [
        channel("--.HHZ", pgv=0.0094, pga=0.0056, psa=0.0108),
        channel("--.HHE", pgv=0.0174, pga=0.01, psa=0.0244),
        channel("--.HHN", pgv=0.0108, pga=0.0106, psa=0.0237),
    ],
)
FLAGGED = station(
    "NC.J051",
    [
        channel("HN1", {"pga": "T"}, pga=50.0, pgv=0.5, long=0.1),
        channel("HN2", pga=0.4807, pgv=0.7679, long=0.2444),
        channel("HNZ", pga=0.9, pgv=0.9, long=0.9),
    ],
    (37.85, -122.0),
    12.0,
)
SINGLE = station(
    "BK.ONE", [channel("HNE", pga="null", pgv=0.0, psa=2.0, long="9e99")], (37.95, -122.25), 15.0
)
FELT = station("DYFI.294", [channel("mmi")], station_type="macroseismic", pga=13.4)


def written(tmp_path, *features):
    path = tmp_path / "stationlist.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture(scope="module")
def model():
    return load_model("bay_area_evolutionary")


def test_the_larger_horizontal_is_read(tmp_path):
    found = read_stationlist(written(tmp_path, CRG, FLAGGED, SINGLE, FELT, CRG))
    assert found.stations["station_network_code"].tolist() == ["CI", "NC", "BK"]
    assert found.stations["station_code"].tolist() == ["CRG", "J051", "ONE"]
    assert found.periods == (0.3, 3.0)
    g = 9.80665
    expected = [
        [0.000106 * g, 0.000174, 0.000244 * g, np.nan],
        [np.nan, 0.007679, np.nan, 0.002444 * g],
        [np.nan, np.nan, 0.02 * g, np.nan],
    ]
    np.testing.assert_allclose(np.exp(found.values), expected)
    assert found.n_single == 1
    assert found.left_out == {
        "flagged amplitudes": 1,
        "amplitudes that are not numbers from 1e-12 to 10000 m/s2 or m/s": 3,
        "macroseismic observations": 1,
        "stations that occur twice": 1,
    }


def test_names_and_units_of_other_versions(tmp_path):
    """Names of the XML files, and logarithms."""
    own = copy.deepcopy(CRG)
    amplitudes = own["properties"]["channels"][1]["amplitudes"]
    amplitudes[:] = [
        {"name": "acc", "value": -9.0, "units": "ln(g)", "flag": ""},
        {"name": "vel", "value": -4.0, "units": "ln(cm/s)", "flag": ""},
        {"name": "psa10", "value": 0.5, "flag": ""},
    ]
    own["properties"]["channels"] = own["properties"]["channels"][:2]
    found = read_stationlist(written(tmp_path, own))
    assert found.periods == (1.0,)
    expected = [-9.0 + np.log(9.80665), -4.0 + np.log(0.01), np.log(0.005 * 9.80665)]
    np.testing.assert_allclose(found.values, [expected])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"type": "Feature"}', "must be ShakeMap's stationlist.json"),
        ('{"features": [{"properties": {}}]}', "Feature 1 of .* is not a station of ShakeMap"),
        ('{"features": []}', r"0 usable stations \(it is empty\)"),
        (json.dumps({"features": [FELT]}), r"0 usable stations \(1 macroseismic"),
        (json.dumps({"features": [CRG]}).replace("cm/s", "in/s"), "unit in/s of pgv must be one"),
    ],
)
def test_what_is_no_list_of_stations(tmp_path, content, message):
    path = tmp_path / "stationlist.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_stationlist(path)


def test_a_model_is_conditioned_on_the_larger_horizontal(tmp_path, model, caplog):
    path = written(tmp_path, CRG, FLAGGED, SINGLE, FELT)
    caplog.set_level(logging.INFO, "cgmgm_seis")
    given = read_given(path, source(4.0, *SOURCE), model)
    # 3 s is below the band of recorded motion.
    assert given.values.shape == (3, 3)
    assert given.scenario["path_ep_distance_km"].round().tolist() == [14, 10, 14]
    said = caplog.text
    assert "1 flagged amplitudes of" in said and "1 macroseismic observations of" in said
    assert "1 stations of" in said and "at 3 s is not used" in said
    waveforms = np.zeros((1, 3, 6000), np.float32)
    north, east = model.component_order.index("N"), model.component_order.index("E")
    waveforms[0, north, 3000], waveforms[0, east, 3000] = 0.1, -0.2
    assert given.measures(waveforms)[0, 1] == pytest.approx(np.log(0.2))
    # Some 1/100 of the median of the model.
    conditioned, one = given.condition(model), given.scenario[:1]
    before, after = (np.abs(x.sample(one, 4)).max() for x in (model, conditioned))
    assert after < 0.3 * before


def test_the_list_is_of_another_earthquake(tmp_path, model):
    with pytest.raises(DatasetError, match="differ by 74 km from those of the given earthquake"):
        read_given(written(tmp_path, CRG), source(4.0, 37.0, -122.1), model)


def test_the_larger_horizontal_is_that_of_boore_and_kishida(model):
    """ln (larger / RotD50) of 100 records, M 4 at some 20 km: 0.12, 0.13 and 0.14, to 0.05."""
    scenario = from_points(4.0, SOURCE, [(37.76, -122.2), (38.02, -122.2), (37.75, -122.0)])
    drawn = model.sample(scenario, 33)
    settings = (model.component_order, model.sampling_rate, (0.3,))
    ratio = ln_larger_horizontal(drawn, *settings) - ln_rotd50(drawn, *settings)
    # Constant, and factors of ln (distance / 50 km), M - 5.5 and its square.
    table = np.array(
        [
            [0.1126, -0.0096, -0.0036, -0.0016],
            [0.1246, -0.0102, 0.0012, -0.0008],
            [0.1293, -0.0101, -0.0050, -0.0013],
        ]
    )
    expected = table @ [1.0, np.log(20.0 / 50.0), -1.5, 2.25]
    np.testing.assert_allclose(ratio.mean(axis=(0, 1)), expected, atol=0.05)
