"""The simulated data report has the layout of the real one, and its values come back."""

import numpy as np
import pytest

from cgmgm_seis.datasets.designsafe import OFFSET_ERROR_S, import_designsafe
from cgmgm_seis.datasets.designsafe_csv import COLUMNS, is_designsafe
from cgmgm_seis.datasets.simulated_report import (
    NAMES,
    REPORT_START_S,
    write_simulated_report,
)
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.catalogue import simulate_catalogue

N_EVENTS, SEED = 4, 3


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_simulated_report(folder, N_EVENTS, SEED)
    return folder


def test_layout(report):
    path = report / NAMES["E"]
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert {len(row) for row in rows} == {len(COLUMNS) + 7000}
    assert {row[7] for row in rows} == {"100.0"} and {row[8] for row in rows} == {"7000"}
    assert {int(row[0]) for row in rows} == {-1, -2, -3, -4}
    assert is_designsafe(str(path))


def test_the_simulated_records_come_back(report, tmp_path):
    import_designsafe([report / NAMES["E"]], tmp_path / "set", REPORT_START_S)
    read, scenario = read_records(tmp_path / "set", Window("E"))
    waveforms, table = simulate_catalogue(N_EVENTS, SEED, workers=1)
    np.testing.assert_array_equal(read[:, 0], waveforms[:, 2])
    same = [*COLUMNS[1:7], "path_ep_distance_km"]
    np.testing.assert_allclose(scenario[same], table[same], rtol=1e-6)
    np.testing.assert_allclose(scenario["path_rup_distance_km"], table["path_hyp_distance_km"])
    assert (scenario.groupby(table["source_id"])["source_id"].nunique() == 1).all()


def test_it_is_called_simulated_and_its_start_is_measured(report, tmp_path):
    metadata = import_designsafe([report / NAMES["E"]], tmp_path / "set")
    assert metadata["trace_simulated"].all()
    starts = metadata["trace_start_time"].astype("datetime64[ns, UTC]")
    origins = metadata["source_origin_time"].astype("datetime64[ns, UTC]")
    assert (starts - origins).dt.total_seconds().unique() == pytest.approx(
        [REPORT_START_S], abs=OFFSET_ERROR_S
    )
