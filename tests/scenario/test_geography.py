"""Regions anywhere: across the date line and in the south the same numbers as at home."""

import numpy as np
import pytest

from cgmgm_seis.errors import RangeError
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.models.conditions import check_ranges, scaled_conditions, training_ranges
from cgmgm_seis.models.evolutionary.model import EvolutionaryCGM
from cgmgm_seis.scenario.table import add_paths, check_scenario
from cgmgm_seis.simulator.catalogue import simulate_catalogue


@pytest.fixture(scope="module")
def catalogue():
    return simulate_catalogue(4, seed=2, workers=1)


def moved(table, degrees):
    """Return the catalogue at another longitude; the Earth is round."""
    columns = ["source_longitude_deg", "station_longitude_deg"]
    wrapped = {name: (table[name] + degrees + 180.0) % 360.0 - 180.0 for name in columns}
    return add_paths(table.assign(**wrapped))


def test_ranges_and_conditions_across_the_date_line(catalogue):
    _, table = catalogue
    fiji = moved(table, 302.2)
    assert fiji["source_longitude_deg"].min() < -179 and fiji["source_longitude_deg"].max() > 179
    ranges = training_ranges(fiji)
    low, high = ranges["source_longitude_deg"]
    assert high - low < 3.0
    assert check_ranges(fiji, ranges) == []
    np.testing.assert_allclose(
        scaled_conditions(fiji, "coordinates", ranges),
        scaled_conditions(table, "coordinates", training_ranges(table)),
        atol=1e-5,
    )
    with pytest.raises(RangeError, match=r"source_longitude_deg = 170 is .* range 179\.\d+ to 18"):
        check_ranges(fiji.assign(source_longitude_deg=170.0), ranges)


def test_a_model_hears_the_same_across_the_date_line(catalogue):
    waveforms, table = catalogue
    heard = []
    for degrees in (0.0, 302.2):
        model = EvolutionaryCGM()
        there = moved(table, degrees)
        model.fit_normalisation(waveforms, there)
        heard.append(model.conditions(there))
    for key, values in heard[0].items():
        # The centre is rounded to 0.001 degrees.
        np.testing.assert_allclose(heard[1][key], values, atol=2e-3, err_msg=key)


def test_a_non_ergodic_model_is_the_same_across_the_date_line():
    _, table = simulate_catalogue(25, seed=3, workers=1)
    ln_fas = np.random.default_rng(0).standard_normal((len(table), 1))
    # A field of the stations, so that there is something to learn.
    ln_fas += np.sin(30.0 * table[["station_longitude_deg"]].to_numpy())
    train, test = (
        table["source_id"].isin(table["source_id"].unique()[part])
        for part in (slice(5, None), slice(5))
    )
    found = []
    for degrees in (0.0, 302.2):
        there = moved(table, degrees)
        model = NonErgodicFAS(n_functions=64).fit(there[train], ln_fas[train], (5.0,))
        found.append((model.predict(there[test]), model.terms(there[test])))
    (here, terms), (there, others) = found
    assert np.ptp(terms["site"].mean) > 0.5
    # ObsPy's distances of the two agree within 2 cm.
    np.testing.assert_allclose(there.mean, here.mean, atol=1e-5)
    np.testing.assert_allclose(there.sd, here.sd, rtol=1e-5)
    for name, term in terms.items():
        np.testing.assert_allclose(others[name].mean, term.mean, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(others[name].sd, term.sd, atol=1e-5, err_msg=name)


def test_correlation_between_receivers_is_the_same_across_the_date_line(catalogue):
    waveforms, table = catalogue
    found = []
    for degrees in (0.0, 302.2):
        there = moved(table, degrees)
        model = EvolutionaryCGM()
        model.fit_normalisation(waveforms, there)
        receivers = model.features(waveforms, there)["receiver"].numpy()
        found.append(np.linalg.norm(receivers[:, None] - receivers, axis=-1))
    assert found[0].max() < 300.0
    # The centre is rounded to 0.001 degrees, which moves all receivers together.
    np.testing.assert_allclose(found[1], found[0], atol=2e-3)


def test_south_negative_elevations_and_above_sea_level(catalogue):
    waveforms, table = catalogue
    south = add_paths(
        table.assign(
            source_latitude_deg=-table["source_latitude_deg"],
            station_latitude_deg=-table["station_latitude_deg"],
        )
    )
    np.testing.assert_allclose(south["path_ep_distance_km"], table["path_ep_distance_km"])
    odd = check_scenario(south.assign(station_elevation_m=-250.0, source_depth_km=-0.4))
    model = EvolutionaryCGM()
    model.fit_normalisation(waveforms, odd)
    p, s = model.onsets(odd)
    assert (s > p).all() and (p > 0).all()
    motion = model.sample(odd.head(2))
    assert np.isfinite(motion).all()


def test_onsets_are_the_table_and_the_delays(catalogue):
    waveforms, table = catalogue
    model = EvolutionaryCGM()
    model.fit_normalisation(waveforms, table)
    times = model.travel_times.at(table["source_depth_km"], table["path_ep_distance_km"])
    np.testing.assert_allclose(model.onsets(table), times, atol=1e-3)
    model.decoder.delay.weight.data.normal_(std=2.0)
    delays = model.decoder.delays(model.conditions(table)).detach().numpy().T
    assert np.abs(delays).max() > 0.02
    np.testing.assert_allclose(model.onsets(table), np.add(times, delays), atol=1e-3)
