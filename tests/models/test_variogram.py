"""Spatial correlation of generated records against that of simulated ones."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_datasets import first_events

from cgmgm_seis import EvolutionaryCGM
from cgmgm_seis.measures.intensity import eas
from cgmgm_seis.scenario.geography import local_km

pytestmark = pytest.mark.usefixtures("one_thread")

EDGES_KM = (0.0, 10.0, 25.0, 100.0)
FREQUENCIES = (2.0, 5.0, 10.0, 15.0)
N_GROUPS, DRAWS = 20, 2


@pytest.fixture(scope="module")
def catalogue(many_simulated):
    """About 1,000 simulated records."""
    return first_events(many_simulated, 90)


def ln_eas(waveforms):
    return np.log(eas(waveforms[:, 1:], 100.0, FREQUENCIES))


def nearness(residuals, scenario):
    """Return the variogram's bins over its last one, mean over frequencies, and standard errors.

    Of pairs within events, so that event terms do not matter; a jackknife over groups of events.
    """
    events = pd.factorize(scenario["source_id"])[0]
    places = local_km(
        scenario["station_latitude_deg"], scenario["station_longitude_deg"], (37.8, -122.2)
    )
    first, second = np.triu_indices(len(events), 1)
    same = events[first] == events[second]
    first, second = first[same], second[same]
    distance = np.hypot(*(places[first] - places[second]).T)
    squared = 0.5 * (residuals[first] - residuals[second]) ** 2
    bins = np.digitize(distance, EDGES_KM) - 1
    group = events[first] % N_GROUPS

    def ratios(rows):
        means = np.stack([squared[rows & (bins == k)].mean(axis=0) for k in range(3)])
        return (means[:2] / means[2]).mean(axis=1)

    without = [ratios(group != k) for k in range(N_GROUPS)]
    error = np.sqrt((N_GROUPS - 1) * np.var(without, axis=0))
    return ratios(group >= 0), error


def test_the_variogram_at_station_spacing_is_that_of_simulated_records(catalogue):
    """Within 3 standard errors; independent records are farther off than that."""
    waveforms, scenario = catalogue
    model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
    starts = range(0, len(scenario), 100)
    batches = (model.features(waveforms[i : i + 100], scenario.iloc[i : i + 100]) for i in starts)
    card = model.after_training(batches)["spatial_correlation"]
    assert len(card["shares"]) == model.n_latents

    def drawn():
        draws = [model.sample(scenario, seed=s, extrapolate=True)[:, 0] for s in range(DRAWS)]
        return np.stack([ln_eas(records) for records in draws])

    fitted = drawn()
    median = fitted.mean(axis=0)
    wanted, error = nearness(ln_eas(waveforms) - median, scenario)
    found = [nearness(one - median, scenario) for one in fitted]
    mean = np.mean([value for value, _ in found], axis=0)
    own = np.mean([e for _, e in found], axis=0) / np.sqrt(DRAWS)
    assert (np.abs(mean - wanted) < 3.0 * np.hypot(error, own)).all(), (mean, wanted, error)

    model.effects.length_km = torch.tensor(0.0)
    wrong = np.mean([nearness(one - median, scenario)[0] for one in drawn()], axis=0)
    assert (np.abs(wrong - wanted) > 3.0 * np.hypot(error, own)).any(), (wrong, wanted, error)
