import numpy as np
import pytest

from cgmgm_seis.errors import RangeError, ScenarioError, WeightsError
from cgmgm_seis.models.conditions import (
    CONDITION_SETS,
    ExtrapolationWarning,
    check_ranges,
    condition_columns,
    rupture_ranges,
    scaled_conditions,
    training_ranges,
)
from cgmgm_seis.scenario.table import from_points


@pytest.fixture
def table():
    return from_points(4.0, (37.9, -122.1), [(37.5, -122.3), (38.0, -121.9), (37.7, -122.0)])


def test_the_published_sets():
    # Ren et al.: CGM-GM hears six conditions, CGM-baseline three.
    assert len(CONDITION_SETS["coordinates"]) == 6
    assert len(CONDITION_SETS["distance"]) == 3
    with pytest.raises(ScenarioError, match=r"'nothing'.*coordinates"):
        condition_columns("nothing")


@pytest.mark.parametrize("name", CONDITION_SETS)
def test_scaling_maps_the_training_range_to_0_and_1(table, name):
    table = table.assign(source_magnitude=[1.0, 3.0, 5.0], source_depth_km=[2.0, 8.0, 18.0])
    scaled = scaled_conditions(table, name, training_ranges(table))
    assert scaled.shape == (3, len(CONDITION_SETS[name]))
    assert scaled.dtype == np.float32
    assert scaled[:, 0].tolist() == [0.0, 0.5, 1.0]
    assert ((scaled >= 0) & (scaled <= 1)).all()


def test_the_distance_is_that_of_the_rupture_where_it_is_known(table, caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    assert rupture_ranges(table, "coordinates") == {} and not caplog.text
    assert rupture_ranges(table, "distance") == {}
    assert "of 0 records, hypocentral distances of the other 3" in caplog.text
    known = table.assign(path_rup_distance_km=[10.0, np.nan, 30.0])
    hypocentral = table["path_hyp_distance_km"].tolist()
    ranges = training_ranges(known) | rupture_ranges(known, "distance")
    assert "of 2 records, hypocentral distances of the other 1" in caplog.text
    low, high = ranges["path_rup_distance_km"]
    assert (low, high) == (10.0, 30.0) and hypocentral[1] < 30.0
    for name in ("distance", "distance_azimuth", "distance_azimuth_depth"):
        scaled = scaled_conditions(known, name, ranges)[:, 1]
        np.testing.assert_allclose(scaled, [0.0, (hypocentral[1] - 10.0) / 20.0, 1.0], atol=1e-6)
    # Weights trained on hypocentral distances go on with them.
    np.testing.assert_array_equal(
        scaled_conditions(known, "distance", training_ranges(table)),
        scaled_conditions(table, "distance", training_ranges(table)),
    )
    # A scenario of points has no rupture distance, which is said and no error.
    with pytest.warns(ExtrapolationWarning, match="in 1 of 3 rows; the hypocentral distance"):
        assert len(check_ranges(known, ranges)) == 1
    with pytest.raises(RangeError, match=r"path_rup_distance_km = 40 .* 10 to 30"):
        check_ranges(known.assign(path_rup_distance_km=40.0), ranges)


def test_a_constant_column_scales_to_zero(table):
    scaled = scaled_conditions(table, "depth", training_ranges(table))
    assert (scaled == 0.0).all()


def test_a_range_that_is_missing_is_named(table):
    ranges = training_ranges(table)
    del ranges["station_latitude_deg"]
    with pytest.raises(WeightsError, match="no range of station_latitude_deg"):
        scaled_conditions(table, "coordinates", ranges)


def test_leaving_the_range_names_column_value_and_range(table):
    ranges = training_ranges(table) | {"source_magnitude": [1.0, 3.5]}
    with pytest.raises(RangeError, match=r"source_magnitude = 4 .* 1 to 3\.5"):
        check_ranges(table, ranges)
    with pytest.warns(ExtrapolationWarning, match="source_magnitude"):
        messages = check_ranges(table, ranges, extrapolate=True)
    assert len(messages) == 1
    assert "3 of 3 rows" in messages[0]


def test_inside_the_range_all_is_well(table):
    assert check_ranges(table, training_ranges(table)) == []


def test_nan_is_never_inside(table):
    ranges = training_ranges(table)
    with pytest.raises(RangeError, match="nan"):
        check_ranges(table.assign(source_depth_km=np.nan), ranges)


def test_right_above_the_source_is_inside():
    """An epicentral distance has no least value; a hypocentral one has."""
    near = from_points(4.0, (37.9, -122.1), [(37.9, -122.1)])
    far = from_points(4.0, (37.9, -122.1), [(37.89, -122.1), (38.0, -121.9)])
    ranges = training_ranges(far) | {"station_latitude_deg": [37.8, 38.0]}
    ranges |= {"station_longitude_deg": [-123.0, -121.0], "path_hyp_distance_km": [7.0, 50.0]}
    assert near["path_ep_distance_km"].item() < ranges["path_ep_distance_km"][0]
    assert check_ranges(near, ranges) == []
    with pytest.raises(RangeError, match=r"path_hyp_distance_km = 8 .* 9 to 50"):
        check_ranges(near, ranges | {"path_hyp_distance_km": [9.0, 50.0]})


def test_all_columns_outside_their_ranges_are_named_at_once():
    table = from_points(6.0, (37.9, -122.0), [(37.8, -122.2)], depth_km=30.0)
    ranges = {"source_magnitude": [1.0, 5.8], "source_depth_km": [0.0, 20.0]}
    with pytest.raises(RangeError) as caught:
        check_ranges(table, ranges)
    assert str(caught.value) == (
        "source_magnitude = 6 is outside the trained range 1 to 5.8, and source_depth_km = 30 is "
        "outside the trained range 0 to 20; --extrapolate (extrapolate=True) allows them."
    )
    # One option allows both.
    with pytest.raises(RangeError, match=r"by more than 0.5, and source_depth_km = 30 .* "
                       r"--extrapolate-magnitude 1 \(extrapolate=1\) allows them"):  # fmt: skip
        check_ranges(table, ranges | {"source_magnitude": [1.0, 5.0]})
    with pytest.warns(ExtrapolationWarning):
        assert len(check_ranges(table, ranges | {"source_magnitude": [1.0, 5.0]}, 1.0)) == 2
