import numpy as np
import pytest
from obspy.geodetics import kilometer2degrees
from obspy.taup import TauPyModel
from obspy.taup.taup_create import build_taup_model

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.scenario.travel_times import PHASES, TravelTimeTable, bay_area_travel_times
from cgmgm_seis.scenario.travel_times import bay_area_velocity_model as gil7


@pytest.fixture(scope="module")
def taup(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taup")
    build_taup_model(str(gil7()), str(folder), verbose=False)
    return TauPyModel(str(folder / "gil7.npz"))


def test_the_bundled_table_is_taups(taup):
    """Nodes agree to float32; between nodes linear interpolation costs up to 0.03 s."""
    table = bay_area_travel_times()
    rng = np.random.default_rng(1)
    for depth, distance, tolerance in [
        *((int(rng.integers(0, 25)), int(rng.integers(0, 200)), 1e-4) for _ in range(6)),
        *((rng.uniform(1, 18), rng.uniform(0, 150), 0.03) for _ in range(10)),
    ]:
        got = table.at(depth, distance)
        for wave, phases in enumerate(PHASES.values()):
            arrivals = taup.get_travel_times(depth, kilometer2degrees(distance), phases)
            assert got[wave] == pytest.approx(min(a.time for a in arrivals), abs=tolerance)


def test_interpolated_rays_are_shot_rays():
    """The bundled table was shot node by node with TauP; cubics between rays lose below 1 ms."""
    table = TravelTimeTable.from_velocity_model(gil7(), 24.0, 200.0, 4.0, 1.0)
    bundled = bay_area_travel_times().times[:, :25:4]
    np.testing.assert_allclose(table.times, bundled, atol=1e-3)


def test_vertical_rays_are_sums_over_layers():
    """Thickness over velocity of GIL7's layers, REFERENCE table, down to 8 km."""
    tops, vp, vs = [0, 1, 3, 4, 5], [3.2, 4.5, 4.8, 5.51, 6.21], [1.5, 2.4, 2.78, 3.18, 3.4]
    thickness = np.diff([*tops, 8])
    p, s = bay_area_travel_times().at(8.0, 0.0)
    assert p == pytest.approx((thickness / vp).sum(), abs=2e-3)
    assert s == pytest.approx((thickness / vs).sum(), abs=2e-3)


def test_a_uniform_half_space_has_straight_rays(tmp_path):
    model = tmp_path / "uniform.nd"
    lines = gil7().read_text().splitlines()
    deep = lines[lines.index("120.00 7.83 4.52 3.26") + 1 :]
    model.write_text(
        "0 6 3.5 2.7\n60 6 3.5 2.7\nmantle\n60 7.83 4.52 3.26\n120 7.83 4.52 3.26\n"
        + "\n".join(deep)
        + "\n"
    )
    table = TravelTimeTable.from_velocity_model(model, 10.0, 20.0, 5.0, 10.0)
    p, s = table.at([5.0, 10.0], [10.0, 20.0])
    np.testing.assert_allclose(p, np.hypot([5, 10], [10, 20]) / 6, atol=5e-3)
    np.testing.assert_allclose(s, np.hypot([5, 10], [10, 20]) / 3.5, atol=8e-3)


def test_saved_tables_come_back(tmp_path):
    table = bay_area_travel_times()
    table.save(tmp_path / "table.npz")
    again = TravelTimeTable.load(tmp_path / "table.npz")
    np.testing.assert_array_equal(again.times, table.times)
    assert again.depth_step_km == table.depth_step_km


def test_sources_above_sea_level_count_as_surface_sources():
    table = bay_area_travel_times()
    assert table.at(-0.5, 30.0) == table.at(0.0, 30.0)


def test_s_comes_after_p_and_both_later_with_distance():
    p, s = bay_area_travel_times().at(*np.meshgrid(np.linspace(0, 25, 40), np.linspace(1, 200, 80)))
    assert (s > p).all()
    assert (np.diff(p, axis=0) > 0).all()
    assert (np.diff(s, axis=0) > 0).all()


def test_a_crust_alone_is_continued(tmp_path):
    """Straight rays in a uniform crust that the file ends with."""
    model = tmp_path / "crust.nd"
    model.write_bytes("# Größe in km\n0 6 3.5 2.7\n40 6 3.5 2.7\n".encode("latin-1"))
    table = TravelTimeTable.from_velocity_model(model, 10.0, 20.0, 5.0, 10.0)
    p, s = table.at([5.0, 10.0], [10.0, 20.0])
    np.testing.assert_allclose(p, np.hypot([5, 10], [10, 20]) / 6, atol=5e-3)
    np.testing.assert_allclose(s, np.hypot([5, 10], [10, 20]) / 3.5, atol=8e-3)


@pytest.mark.parametrize("text", ["", "hello", "0 6\n10 6\n", "a,b,c\n1,2,3\n"])
def test_files_that_are_no_velocity_model(tmp_path, text):
    (tmp_path / "bad.nd").write_text(text)
    with pytest.raises(ScenarioError, match=r"bad\.nd is not a readable velocity model"):
        TravelTimeTable.from_velocity_model(tmp_path / "bad.nd", 1.0, 1.0)
    with pytest.raises(ScenarioError, match="No such file"):
        TravelTimeTable.from_velocity_model(tmp_path / "none.nd", 1.0, 1.0)
