"""The table of measures: against the functions of one record, and as a flatfile."""

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.evaluation.flatfile import read_flatfile
from cgmgm_seis.measures.intensity import acceleration, arias_intensity, cav, significant_duration
from cgmgm_seis.measures.response_spectra import psa, rotd50, rotd50_psa
from cgmgm_seis.output import measures_table as module
from cgmgm_seis.output.measures_table import measures_table
from cgmgm_seis.scenario.streams import to_stream
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.scenario.window import Window


@pytest.fixture(scope="module")
def records():
    """Samples and scenario of three receivers and two realizations."""
    places = [(37.876, -122.236), (37.9, -122.0), (37.7, -122.123456)]
    samples = np.random.default_rng(0).normal(size=(3, 2, 3, 800)).astype(np.float32)
    return samples, from_points(4.5, (37.938, -122.057), places)


def stream_of(samples, scenario, components="ZNE", rate=100.0):
    return to_stream(samples, scenario, Window(components, rate, -5.0, samples.shape[-1]))


def test_measures_are_those_of_each_record(records, monkeypatch):
    samples, scenario = records
    monkeypatch.setattr(module, "_BLOCK", 2)
    table = measures_table(stream_of(samples, scenario), scenario, (0.3, 1.0))
    assert len(table) == 6
    assert table["station_location_code"].tolist() == ["00", "01"] * 3
    assert table["source_id"].tolist() == ["scenario-00", "scenario-01"] * 3
    assert table["station_code"].tolist() == ["V0000"] * 2 + ["V0001"] * 2 + ["V0002"] * 2
    row, record = table.iloc[3], samples[1, 1]
    expected = {
        "pga_mps2": rotd50(acceleration(record[1:], 100.0)),
        "pgv_mps": rotd50(record[1:]),
        "psa_1.000s_mps2": rotd50_psa(record[1:], 100.0, [1.0])[0],
        "Z_pga_mps2": np.abs(acceleration(record[0], 100.0)).max(),
        "N_pgv_mps": np.abs(record[1]).max(),
        "E_psa_0.300s_mps2": psa(record[2], 100.0, [0.3])[0],
        "E_arias_mps": arias_intensity(record[2], 100.0),
        "E_cav_mps": cav(record[2], 100.0),
        "E_d5_75_s": significant_duration(record[2], 100.0, high=0.75),
        "E_d5_95_s": significant_duration(record[2], 100.0),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(float(value), rel=1e-6), name


def test_it_is_a_flatfile(records, tmp_path):
    samples, scenario = records
    table = measures_table(stream_of(samples, scenario), scenario)
    table.to_csv(tmp_path / "measures.csv", index=False)
    found = read_flatfile(tmp_path / "measures.csv")
    assert found.scenario["source_id"].nunique() == 2
    assert found.periods == (0.1, 0.2, 0.3, 0.5, 1.0, 2.0)


def test_components_that_have_no_rotd50_and_one_realization(records):
    samples, scenario = records
    table = measures_table(stream_of(samples[:, :1, :2], scenario, "ZN"), scenario, [1.0])
    assert table["source_id"].tolist() == ["scenario"] * 3
    assert not {"pga_mps2", "E_pga_mps2"} & set(table) and {"Z_pga_mps2", "N_d5_95_s"} <= set(table)


def test_columns_tell_periods_apart_that_are_close(records):
    samples, scenario = records
    close, stream = [0.3, 0.3001, 0.3004], stream_of(samples, scenario)
    table = measures_table(stream, scenario, close)
    for period, name in zip(close, ("0.300", "0.3001", "0.3004"), strict=True):
        alone = measures_table(stream, scenario, [period])
        assert table[f"psa_{name}s_mps2"].equals(alone[f"psa_{name}s_mps2"])


def test_periods_of_a_low_rate(records):
    samples, scenario = records
    table = measures_table(stream_of(samples, scenario, rate=20.0), scenario)
    assert [name for name in table if name.startswith("psa")] == [
        f"psa_{period:.3f}s_mps2" for period in (0.3, 0.5, 1.0, 2.0)
    ]
    assert isinstance(table, pd.DataFrame)
