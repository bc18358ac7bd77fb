"""The simulator is judged like a model, on its own data only."""

from dataclasses import replace

import numpy as np
import pytest
from parrot import QUICK, WINDOW, Parrot, rows
from seisbench.data import WaveformDataset
from small_datasets import CATALOGUE_SEED

from cgmgm_seis.evaluation import evaluate
from cgmgm_seis.evaluation.data import EvaluationData
from cgmgm_seis.evaluation.draws import measuring_pool
from cgmgm_seis.evaluation.measures import ln_measures
from cgmgm_seis.evaluation.simulator_draws import simulator_draw
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.simulator.seismograms import simulate_records

pytestmark = pytest.mark.usefixtures("one_thread", "quick")


@pytest.mark.slow
def test_the_simulator_shows_its_own_scatter(whole_catalogue):
    records = EvaluationData(whole_catalogue, WINDOW).read_split()
    config = replace(QUICK, n_realizations=8, seed=CATALOGUE_SEED)
    found = evaluate(whole_catalogue, {"parrot": Parrot(records)}, config)
    sigma = rows(found, SIMULATOR)["sigma"].to_numpy()
    waveforms, scenario = records
    others = [ln_measures(simulate_records(scenario, 70 + k)[0], "ZNE", 100.0) for k in range(8)]
    expected = (ln_measures(waveforms, "ZNE", 100.0) - np.median(others, axis=0)).std(axis=0)
    # Medians of eight other draws.
    assert sigma.mean() == pytest.approx(expected.mean(), rel=0.2)
    assert (sigma > 0.1).all()  # the catalogue's own seed does not give its own records
    repeated = rows(found, "parrot")["simulator_sigma"].to_numpy()
    np.testing.assert_array_equal(repeated, sigma)
    assert found.metrics["generators"][SIMULATOR]["model"] is None


def test_events_of_a_redraw_share_their_terms(records):
    _, scenario = records
    draw = simulator_draw(Window("ZNE", 100.0, -5.0, 6000))
    whole = draw(scenario, 2, 3)
    np.testing.assert_allclose(draw(scenario.iloc[3:5], 2, 3), whole[3:5], rtol=1e-5, atol=1e-14)
    assert not np.array_equal(whole[:, 0], whole[:, 1])


def test_processes_redraw_the_same(records):
    _, scenario = records
    window = Window("ZNE", 100.0, -5.0, 6000)
    with measuring_pool(1, workers=2) as pool:
        drawn = simulator_draw(window, pool)(scenario[:3], 3, 5)
    np.testing.assert_array_equal(drawn, simulator_draw(window)(scenario[:3], 3, 5))


def test_a_redraw_is_cut_to_the_window(records):
    _, scenario = records
    whole = simulator_draw(Window("ZNE", 100.0, -5.0, 6000))(scenario[:2], 1, 0)
    part = simulator_draw(Window("EZ", 100.0, -2.0, 4000))(scenario[:2], 1, 0)
    np.testing.assert_array_equal(part, whole[:, :, [2, 0], 300:4300])
    assert simulator_draw(Window("ZNE", 100.0, -6.0, 6000)) is None
    assert simulator_draw(Window("ZNE", 50.0, -5.0, 3000)) is None


def test_recordings_are_not_simulated_again(catalogue, records):
    dataset = WaveformDataset(catalogue)
    dataset.metadata["trace_simulated"] = False
    found = evaluate(dataset, {"parrot": Parrot(records)}, QUICK)
    assert list(found.metrics["generators"]) == ["parrot"]
    assert "sigma_ratio" not in found.tables["measures"]


def test_other_simulated_records_are_called_simulated_and_not_redrawn(catalogue, records):
    dataset = WaveformDataset(catalogue)
    del dataset.metadata["source_stress_drop_pa"]
    found = evaluate(dataset, {"parrot": Parrot(records)}, QUICK)
    assert list(found.metrics["generators"]) == ["parrot"]
    assert found.metrics["dataset"]["simulated"]
