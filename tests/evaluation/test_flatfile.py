"""Flatfiles of recorded amplitudes: units, names and what is left out."""

import json

import numpy as np
import pytest
from flatfiles import GOOD, pairs

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.flatfile import LAYOUTS, read_flatfile
from cgmgm_seis.evaluation.measures import rotd50_series
from cgmgm_seis.measures.intensity import GRAVITY

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")


def test_units_are_one(written):
    known = np.random.default_rng(0).uniform(0.001, 2.0, (12, 3))  # m/s2, m/s, m/s2
    factors = {"g": 1.0 / GRAVITY, "mps2": 1.0, "cmps2": 100.0}
    speeds = {"g": ("mps", 1.0), "mps2": ("cmps", 100.0), "cmps2": ("cmps", 100.0)}
    for unit, factor in factors.items():
        speed, other = speeds[unit]
        plain = {
            f"pga_{unit}": known[:, 0] * factor,
            f"pgv_{speed}": known[:, 1] * other,
            f"psa_0.300s_{unit}": known[:, 2] * factor,
        }
        logarithms = {f"ln_{name}": np.log(column) for name, column in plain.items()}
        for columns in (plain, logarithms):
            found = read_flatfile(written(pairs().assign(**columns)))
            np.testing.assert_allclose(found.values, np.log(known), atol=1e-12)
            assert found.names.equals(rotd50_series((0.3,)))
            assert found.periods == (0.3,)
            assert found.scenario.attrs["left_out"] == found.notes == {}


def test_codes_stay_what_they_are_and_paths_are_computed(written):
    found = read_flatfile(written(pairs().assign(pga_g=0.1, path_hyp_distance_km=1e6))).scenario
    assert found["station_network_code"].unique() == ["NA"]
    assert found["station_code"][:3].tolist() == ["000", "001", "002"]
    assert found["path_hyp_distance_km"].max() < 100.0
    bare = pairs().drop(columns=["station_network_code", "station_code"])
    bare = read_flatfile(written(bare.assign(pga_g=0.1))).scenario
    assert bare["station_code"][:4].tolist() == ["V0000", "V0001", "V0002", "V0000"]


def test_what_is_not_used_is_counted(written):
    table = (
        pairs()
        .astype({"source_magnitude": object})
        .assign(pga_g=0.1, **{"psa_1s_g": 0.1, "psa_2s_g": 0.1}, lowest_usable_frequency_hz=0.4)
    )
    table["pga_g"] = table["pga_g"].astype(object)
    table.loc[0, "source_magnitude"] = "unknown"
    table.loc[1, "station_latitude_deg"] = np.nan
    table.loc[2, ["pga_g", "psa_1s_g", "psa_2s_g"]] = np.nan
    table.loc[3, "pga_g"] = "n/a"
    table.loc[4, "lowest_usable_frequency_hz"] = 0.5
    table.loc[5, "lowest_usable_frequency_hz"] = np.nan
    table.loc[6, "lowest_usable_frequency_hz"] = 1.01
    found = read_flatfile(written(table))
    assert len(found.scenario) == 9
    assert found.scenario.attrs["left_out"] == {
        "without event, coordinates, depth or magnitude": 2,
        "without an amplitude": 1,
    }
    assert found.notes["some values of pga_g"] == "1 of 12 are not numbers"
    # 0.4 Hz ends at 2.5 s, 1.01 Hz at 0.99 s.
    assert found.notes["some PSA"].startswith("2 of 18 values")
    assert np.isnan(found.values).sum() == 3


def test_measures_without_a_value_are_said_and_rows_are_those_of_the_file(written):
    table = pairs().assign(pga_g=0.1, pgv_mps=np.nan, **{"psa_3s_g": 1.0})
    table["lowest_usable_frequency_hz"] = 0.5
    found = read_flatfile(written(table))
    assert found.names.get_level_values("measure").tolist() == ["RotD50 PGA"]
    assert found.periods == ()
    assert found.notes["RotD50 PGV"] == found.notes["RotD50 PSA 3 s"] == "no row has a value"
    table.loc[0, "source_magnitude"], table.loc[3, "pga_g"] = np.nan, -1.0
    with pytest.raises(CgmgmError, match=r"pga_g = -1 \(row 4\)"):
        read_flatfile(written(table))


def test_other_names_are_mapped(written, tmp_path):
    theirs = {
        "source_id": "EQID",
        "source_latitude_deg": "ev_lat",
        "source_longitude_deg": "ev_lon",
        "source_depth_km": "ev_depth_km",
        "source_magnitude": "M",
        "station_network_code": "net",
        "station_code": "sta",
        "station_latitude_deg": "sta_lat",
        "station_longitude_deg": "sta_lon",
    }
    assert {ours: name for name, ours in LAYOUTS["nga_west2"].items()}.items() >= theirs.items()
    table = (
        pairs()
        .rename(columns=theirs)
        .assign(
            **{
                "lnPGA_g": -3.0,
                "lnPGV_cms": 0.0,
                "lnPSA_g_0.300s": -2.0,
                "vs30": 400.0,
                "luf_hz": 0.1,
            }
        )
    )
    (tmp_path / "mine.json").write_text(json.dumps(LAYOUTS["nga_west2"]))
    for columns in ("nga_west2", tmp_path / "mine.json", LAYOUTS["nga_west2"]):
        found = read_flatfile(written(table), columns)
        expected = [np.log(GRAVITY) - 3.0, np.log(0.01), np.log(GRAVITY) - 2.0]
        np.testing.assert_allclose(found.values, [expected] * 12)
        assert (found.scenario["station_vs30_mps"] == 400.0).all()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD.drop(columns="source_magnitude"), r"lacks the columns source_magnitude\."),
        (GOOD.drop(columns="pga_g"), "0 columns of amplitudes; at least 1 is needed"),
        (
            GOOD.rename(columns={"pga_g": "pga_gal"}),
            "Unit 'gal' of column pga_gal must be one of g, mps2, cmps2",
        ),
        (
            GOOD.rename(columns={"pga_g": "pgv_g"}),
            "Unit 'g' of column pgv_g must be one of mps, cmps",
        ),
        (
            GOOD.rename(columns={"pga_g": "psa_0.3_g"}),
            "psa_0.3_g must be named pga_UNIT",
        ),
        (GOOD.rename(columns={"pga_g": "psa_0s_g"}), "psa_0s_g must be named"),
        (GOOD.assign(ln_pga_mps2=0.0), "pga_g and ln_pga_mps2 are the same measure; only one"),
        (
            GOOD.assign(pga_g=[0.1] * 4 + [-0.5] * 8),
            r"pga_g = -0\.5 \(row 5\) must be an amplitude from 1e-12 to",
        ),
        (GOOD.assign(pga_g=0.0), r"pga_g = 0 \(row 1\) must be an amplitude from 1e-12 to"),
        (GOOD.assign(pga_g=1e9), r"must be an amplitude from 1e-12 to 10000 m/s2, or empty"),
        (
            GOOD.assign(ln_pgv_cmps=-999.0),
            "ln_pgv_cmps = -999 .* must be an amplitude",
        ),
        (
            GOOD.assign(station_vs30_mps=-999),
            "station_vs30_mps = -999 .* must be at least 1, or empty",
        ),
        (GOOD.assign(station_latitude_deg=95.0), "must be a number from -90 to 90"),
        (GOOD.assign(source_depth_km=np.nan), r"0 usable rows \(12 without event, coordinates"),
        (GOOD.iloc[:0], "0 usable rows"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(written, table, said):
    with pytest.raises(CgmgmError, match=said) as raised:
        read_flatfile(written(table))
    assert "\n" not in str(raised.value)


def test_bad_files_are_refused_in_a_sentence(written, tmp_path):
    with pytest.raises(CgmgmError, match="nowhere is not a readable CSV file: No such file"):
        read_flatfile("nowhere")
    path = written(GOOD)
    with pytest.raises(CgmgmError, match=r"mine is neither a layout \(nga_west2\) nor a readable"):
        read_flatfile(path, "mine")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(CgmgmError, match="must hold a JSON object of column names"):
        read_flatfile(path, tmp_path / "list.json")
    with pytest.raises(CgmgmError, match="more than one column source_id; only one"):
        read_flatfile(written(GOOD.assign(EQID=1)), "nga_west2")
