"""The window of records: times, parts, and values that are not allowed."""

import numpy as np
import pytest

from cgmgm_seis.errors import ScenarioError
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.scenario.window import Window


def test_times_count_from_the_origin():
    window = Window("ZNE", sampling_rate=50.0, start_offset_s=-1.0, n_samples=200)
    assert (window.duration_s, window.end_offset_s) == (4.0, 3.0)
    np.testing.assert_allclose(window.times, np.arange(-50, 150) / 50.0)


def test_a_part_is_the_window_of_the_sliced_records():
    window = Window("ZNE", sampling_rate=50.0, start_offset_s=-1.0, n_samples=200)
    part = window.part([2, 0], slice(50, None))
    assert part == Window("EZ", sampling_rate=50.0, start_offset_s=0.0, n_samples=150)
    np.testing.assert_allclose(part.times, window.times[50:])
    assert window.part(range(3), slice(None)) == window


def test_a_model_has_its_own():
    model = CGMGM(component_order="E", sampling_rate=50.0, start_offset_s=-2.0, n_samples=3000)
    assert model.window == Window("E", 50.0, -2.0, 3000)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"component_order": ""}, "component_order = ''"),
        ({"component_order": "ZZ"}, "component_order = 'ZZ'"),
        ({"sampling_rate": 0.0}, "sampling_rate = 0 Hz must be above 0"),
        ({"n_samples": 0}, "n_samples = 0 .* must be 1 to 1,000,000"),
        ({"n_samples": 10**9}, "n_samples = 1000000000 .* must be 1 to 1,000,000"),
    ],
)
def test_what_is_no_window_is_refused(value, text):
    with pytest.raises(ScenarioError, match=text):
        Window(**value)


def test_parts_are_selected_by_components_and_times():
    window = Window("ZNE", sampling_rate=50.0, start_offset_s=-1.0, n_samples=200)
    assert window.select() == ([0, 1, 2], slice(0, 200))
    assert window.select("EZ", 0.5) == ([2, 0], slice(75, 200))
    assert window.select(duration_s=1.5) == ([0, 1, 2], slice(0, 75))
    for components in ("", "ZZ", "R"):
        with pytest.raises(ScenarioError, match=f"components = '{components}' must be some of ZNE"):
            window.select(components)
    for start, duration in ((-2.0, None), (3.0, None), (0.0, 3.5), (0.0, 0.0)):
        with pytest.raises(ScenarioError, match="must lie within the model's window, -1 to 3 s"):
            window.select(None, start, duration)
