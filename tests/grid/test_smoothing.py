"""Contours and single realizations are drawn without the noise of single nodes."""

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from cgmgm_seis.grid.plots import AMPLITUDES, N_CONTOURS, draw_map
from cgmgm_seis.grid.smoothing import smooth_part


@pytest.fixture(params=[(60, 50), (50, 50), (50, 60)], ids=str)
def field(request):
    """Ln amplitudes around a source: smooth, with a peak and unequal edges."""
    y, x = np.indices(request.param)
    return -1.6 * np.log(np.hypot(np.hypot(x - 20.0, y - 33.3) * 1.5, 8.0))


def test_noise_of_nodes_is_taken_off_and_the_field_is_kept(field):
    noisy = field + np.random.default_rng(1).normal(0.0, 0.5, field.shape)
    found = smooth_part(noisy)
    assert (found - field).std() < 0.2 * 0.5
    assert found.mean() == pytest.approx(noisy.mean())


def test_a_field_without_noise_is_not_changed(field):
    assert np.abs(smooth_part(field) - field).max() < 0.02
    np.testing.assert_allclose(smooth_part(np.ones((20, 20))), 1.0)


def test_what_has_no_neighbours_or_holes_is_left_alone(field):
    few = field[:4, :4]
    np.testing.assert_array_equal(smooth_part(few), few)
    field[3, 4] = np.nan
    np.testing.assert_array_equal(smooth_part(field), field)


def test_contours_are_drawn_between_the_limits(field):
    """Around a noisy peak each level is one line, and levels are those of all maps of a row."""
    noisy = field + np.random.default_rng(1).normal(0.0, 0.1, field.shape)
    longitude, latitude = (
        np.linspace(-122.5, -121.8, field.shape[1]),
        np.linspace(37.2, 38.1, len(field)),
    )
    axes = Figure().subplots()
    draw_map(axes, longitude, latitude, noisy, AMPLITUDES, (-8.0, -1.0))
    (contours,) = (own for own in axes.collections if isinstance(own, ContourSet))
    levels = np.linspace(-8.0, -1.0, N_CONTOURS + 2)
    assert len(contours.levels) >= 3 and np.isin(contours.levels, levels).all()
    assert [len(path.to_polygons()) for path in contours.get_paths()][-1] == 1
