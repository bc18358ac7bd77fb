"""Nodes of a map, what is measured at them, and statistics of realizations."""

import numpy as np
import obspy
import pandas as pd
import pytest

from cgmgm_seis import receivers, source
from cgmgm_seis.errors import CgmgmError, ScenarioError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, grid_nodes
from cgmgm_seis.grid.statistics import EventTerms, statistics
from cgmgm_seis.measures.intensity import eas
from cgmgm_seis.measures.response_spectra import rotd50, rotd50_psa
from cgmgm_seis.models.evolutionary.correlation import gaussian_fields
from cgmgm_seis.scenario.geography import local_km

REGION = (-122.5, -121.8, 37.27, 38.07)
SOURCE = source(3.9, 37.861, -122.257, 7.9)


# ---- nodes and measures ------------------------------------------------------------------------


def test_a_grid_is_numbered_row_by_row_with_unique_codes():
    nodes = grid_nodes(REGION, (100, 100))
    table = nodes.table(0, 10_000)
    assert table["station_code"].is_unique and table["station_code"].str.len().eq(5).all()
    assert set(table["station_network_code"]) == {"SY"}
    assert table["station_latitude_deg"].iloc[[0, 99, 9999]].tolist() == [37.27, 37.27, 38.07]
    assert table["station_longitude_deg"].iloc[[0, 99, 100]].tolist() == [-122.5, -121.8, -122.5]
    pd.testing.assert_frame_equal(nodes.table(7, 9), table.iloc[7:9].reset_index(drop=True))


def test_the_extremes_are_those_of_all_nodes():
    nodes = grid_nodes(REGION, (9, 7))
    some, every = nodes.extremes(SOURCE), nodes.scenario(SOURCE, 0, 63)
    for column in ("path_hyp_distance_km", "station_latitude_deg", "station_longitude_deg"):
        assert (
            some[column].agg(["min", "max"]).tolist() == every[column].agg(["min", "max"]).tolist()
        )


def test_stations_come_from_csv_and_stationxml(tmp_path):
    (tmp_path / "a.csv").write_text(
        "Lon,Lat,Network,Station\n-122.2,37.8,BK,BKS\n-122,37.9,NC,JFP\n"
    )
    nodes = Nodes.of(receivers(tmp_path / "a.csv"))
    assert nodes.shape is None and nodes.latitude.tolist() == [37.8, 37.9]
    assert nodes.table(0, 2)["station_code"].tolist() == ["BKS", "JFP"]
    obspy.read_inventory().write(str(tmp_path / "a.xml"), "STATIONXML")
    assert len(Nodes.of(receivers(tmp_path / "a.xml"))) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n", "latitude"),
        ("lat,lon\n", "0 rows"),
        ("lat,lon\n99,2\n", "station_latitude_deg = 99"),
        ("lat,lon\nnorth,2\n", "north"),
        ("lat,lon,network,station\n1,2,A,B\n3,4,A,B\n", r"line 3: station A\.B occurs twice"),
    ],
)
def test_bad_tables_of_stations(tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ScenarioError, match=words):
        Nodes.of(receivers(tmp_path / "bad.csv"))


def test_a_grid_across_the_date_line_is_one_grid():
    """What a grid is elsewhere, moved: distances, axes, and what nodes have in common."""
    here, there = grid_nodes((-122.3, -121.8, 37.3, 38.1), (5, 6)), 302.2
    moved = grid_nodes((179.9, -179.6, 37.3, 38.1), (5, 6))
    assert np.abs(moved.longitude).max() <= 180.0
    np.testing.assert_allclose(moved.unwrapped_longitude, here.longitude + there, atol=1e-9)
    source = SOURCE.assign(source_longitude_deg=-122.257 + there)
    every, some = moved.scenario(source, 0, 30), moved.extremes(source)
    distances = every["path_hyp_distance_km"]
    wanted = here.scenario(SOURCE, 0, 30)["path_hyp_distance_km"]
    np.testing.assert_allclose(distances, wanted, rtol=1e-6)
    assert {179.9, -179.6} <= set(some["station_longitude_deg"].round(9))
    assert set(distances.agg(["min", "max"])) <= set(some["path_hyp_distance_km"])
    values = np.random.default_rng(0).standard_normal((30, 40, 1)).astype(np.float32)
    found = [
        EventTerms.of(n.latitude, n.longitude, values).between(
            n.latitude, n.longitude, values - values.mean(axis=1, keepdims=True)
        )
        for n in (here, moved)
    ]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_bad_grids_and_measures():
    with pytest.raises(ScenarioError, match="37,38 has no width; west and east must differ"):
        grid_nodes((-121.0, -121.0, 37.0, 38.0), (2, 2))
    with pytest.raises(ScenarioError, match="south below north"):
        grid_nodes((-122.0, -121.0, 38.0, 37.0), (2, 2))
    with pytest.raises(ScenarioError, match="1x5"):
        grid_nodes(REGION, (1, 5))
    with pytest.raises(CgmgmError, match="60 Hz"):
        Measures("ZNE", 100.0, frequencies=(60.0,))
    with pytest.raises(CgmgmError, match=r"0\.01 s"):
        Measures("ZNE", 100.0, periods=(0.01,))


def test_measures_are_those_of_the_library():
    x = np.random.default_rng(0).standard_normal((70, 3, 600)).astype(np.float32)
    measures = Measures("ZNE", 100.0, frequencies=(2.0, 10.0), periods=(0.3,))
    values = measures(x.reshape(35, 2, 3, 600)).reshape(70, -1)
    parts = measures.slices
    both = x[:, 1:]
    for kind, wanted in (
        ("eas", eas(both, 100.0, (2.0, 10.0))),
        ("pgv", rotd50(both)[:, None]),
        ("psa", rotd50_psa(both, 100.0, (0.3,))),
    ):
        np.testing.assert_allclose(values[:, parts[kind]], np.log(wanted), rtol=1e-5)
    assert measures.labels[parts["fas"]][3] == "fas N 10 Hz"
    assert Measures("E", 100.0).labels[0] == "fas E 2 Hz" and "eas" not in Measures("E", 100.0).axes


# ---- statistics --------------------------------------------------------------------------------


def test_scatter_between_and_within_events_behind_correlated_fields():
    """600 events at 100 nodes: tau and phi to 10 %; the mean of all nodes is out by more."""
    nodes, rng = grid_nodes(REGION, (10, 10)), np.random.default_rng(0)
    places = local_km(nodes.latitude, nodes.longitude, (37.67, -122.15))
    phi, length = 0.6, 12.0
    events = 0.3 * rng.standard_normal(600)
    tau = events.std(ddof=1)
    fields = np.stack([gaussian_fields(places, length, 1, rng)[:, 0] for _ in events], axis=1)
    values = (5.0 + events + phi * fields)[..., None].astype(np.float32)
    terms = EventTerms.of(nodes.latitude, nodes.longitude, values)
    found = statistics(values, nodes.latitude, nodes.longitude, terms)
    assert found["sigma_between"].mean() == pytest.approx(tau, rel=0.1)
    assert found["sigma_within"].mean() == pytest.approx(phi, rel=0.1)
    assert values[..., 0].mean(axis=0).std() > 1.1 * tau
    assert found["p84"].mean() - found["p16"].mean() == pytest.approx(
        2.0 * np.hypot(tau, phi), rel=0.05
    )
    np.testing.assert_allclose(found["median"][:, 0], np.median(values[..., 0], axis=1), rtol=1e-6)


def test_without_event_terms_there_is_no_scatter_between_events():
    nodes, rng = grid_nodes(REGION, (8, 8)), np.random.default_rng(1)
    values = rng.standard_normal((64, 400, 1)).astype(np.float32)
    terms = EventTerms.of(nodes.latitude, nodes.longitude, values)
    found = statistics(values, nodes.latitude, nodes.longitude, terms)
    assert found["sigma_between"].mean() < 0.35
    assert found["sigma_within"].mean() == pytest.approx(1.0, abs=0.1)


def test_one_realization_has_no_scatter():
    nodes = grid_nodes(REGION, (2, 2))
    values = np.ones((4, 1, 2), np.float32)
    terms = EventTerms.of(nodes.latitude, nodes.longitude, values)
    found = statistics(values, nodes.latitude, nodes.longitude, terms)
    assert np.isnan(found["sigma_within"]).all() and (found["median"] == 1.0).all()
