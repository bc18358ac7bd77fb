"""Tables of recorded amplitudes against predictions whose statistics are known."""

import numpy as np
import pandas as pd
import pytest
from flatfiles import pairs

from cgmgm_seis.evaluation.amplitude_tables import (
    INSIDE,
    OUTSIDE,
    Predicted,
    amplitude_groups_table,
    amplitudes_table,
    of_prediction,
    of_realizations,
    trends,
)
from cgmgm_seis.evaluation.measures import rotd50_series
from cgmgm_seis.gmm.base import Prediction
from cgmgm_seis.scenario.table import check_scenario

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")


@pytest.fixture(scope="module")
def law():
    """Records and realizations of one law, tau 0.4 and phi 0.6, about a median of zero."""
    scenario = check_scenario(pairs(80, 20))
    random = np.random.default_rng(1)
    event = np.unique(scenario["source_id"], return_inverse=True)[1]
    drawn = 0.4 * random.standard_normal((80, 25, 2))[event]
    drawn += 0.6 * random.standard_normal((len(scenario), 25, 2))
    return scenario, drawn[:, 0], drawn[:, 1:]


def test_records_of_a_generators_own_law(law):
    scenario, recorded, generated = law
    names = rotd50_series(())
    inside = np.arange(len(scenario)) % 4 > 0
    said = of_realizations(generated, recorded, scenario["source_id"], ~inside)
    told = Prediction(*(np.full(recorded.shape, v) for v in (0.0, 0.4, 0.6, 0.72)), ~inside)
    predicted = {"generator": said, "gmm": of_prediction(told, recorded)}
    table = amplitudes_table(predicted, recorded, scenario, names)
    assert table["generator"].tolist() == ["generator"] * 2 + ["gmm"] * 2
    assert (table["bias"].abs() < 0.15).all()
    for column, expected, near in (
        ("tau", 0.4, 0.08),
        ("phi", 0.6, 0.03),
        ("stated_tau", 0.4, 0.08),
        ("stated_phi", 0.6, 0.03),
        ("sigma", 0.72, 0.05),
        ("coverage", 0.68, 0.05),
        ("extrapolated", 0.25, 1e-9),
        ("slope_ln_distance", 0.0, 0.1),
        ("slope_magnitude", 0.0, 0.4),
    ):
        np.testing.assert_allclose(table[column], expected, atol=near, err_msg=column)
    groups = amplitude_groups_table(predicted, recorded, scenario, names)
    sizes = groups[groups["measure"] == "RotD50 PGA"].groupby("group")["records"].first()
    assert sizes["M < 4"] + sizes["M >= 4"] == len(scenario)
    assert sizes["R < 25 km"] + sizes["25 km <= R < 80 km"] == len(scenario)
    assert sizes[INSIDE] == inside.sum()
    assert sizes[OUTSIDE] == (~inside).sum()
    assert (groups["coverage"] - 0.68).abs().max() < 0.12


def test_what_is_added_to_records_is_found(law):
    scenario, recorded, _ = law
    plain = np.zeros(recorded.shape)
    known = Predicted(plain, plain > 1.0, *np.full((2, 2), np.nan), np.zeros(len(scenario), bool))
    shifted = recorded + 0.7  # records are stronger: generated - recorded falls
    before, after = (
        amplitudes_table({"a": known}, values, scenario, rotd50_series(()))
        for values in (recorded, shifted)
    )
    np.testing.assert_allclose(after["bias"], before["bias"] - 0.7)
    columns = ["sigma", "tau", "phi", "slope_magnitude", "slope_ln_distance"]
    np.testing.assert_allclose(after[columns], before[columns], atol=1e-5)
    louder = amplitudes_table({"a": known}, 2.0 * recorded, scenario, rotd50_series(()))
    np.testing.assert_allclose(louder[columns], 2.0 * before[columns], rtol=1e-4)


def test_trends_are_those_of_the_residuals(law):
    scenario, recorded, _ = law
    added = 0.3 * np.log(scenario["path_hyp_distance_km"]) - 0.5 * scenario["source_magnitude"]
    added = added.to_numpy()
    before, after = (trends(recorded[:, 0] + more, scenario) for more in (0.0, added))
    assert after["slope_ln_distance"] - before["slope_ln_distance"] == pytest.approx(0.3, abs=0.01)
    assert after["slope_magnitude"] - before["slope_magnitude"] == pytest.approx(-0.5, abs=0.01)
    # 80 events tell of magnitude, 1600 records of distance.
    assert after["slope_magnitude_se"] == pytest.approx(0.42 / 0.31 / 80**0.5, rel=0.15)
    exact = trends(added, scenario)
    assert exact["slope_magnitude"] == pytest.approx(-0.5, abs=1e-6)
    one = scenario["source_id"] == "e0"
    assert np.isnan(list(trends(recorded[one, 0], scenario[one]).values())).all()
    assert set(trends(np.ones(len(scenario)), scenario).values()) == {0.0}


def test_a_missing_value_takes_nothing_else_away(law):
    scenario, recorded, generated = law
    holes = recorded.copy()
    holes[::3, 1] = np.nan
    events, none = scenario["source_id"], np.zeros(len(scenario), bool)
    tables = [
        amplitudes_table(
            {"a": of_realizations(generated, values, events, none)},
            values,
            scenario,
            rotd50_series(()),
        )
        for values in (recorded, holes)
    ]
    pd.testing.assert_series_equal(tables[0].iloc[0], tables[1].iloc[0])
    assert tables[1]["records"].tolist() == [1600, 1066]
    assert tables[1].loc[1, "coverage"] == pytest.approx(tables[0].loc[1, "coverage"], abs=0.05)
