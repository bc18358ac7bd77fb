"""What every generator of the package keeps: `forward` draws as `sample` does, in any precision."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cgmgm_seis import from_points
from cgmgm_seis.models import load_model
from cgmgm_seis.models.registry import BUNDLED, model_class

pytestmark = pytest.mark.usefixtures("one_thread")
STATIONS = [(37.8, -122.2), (37.9, -122.0)]


@pytest.fixture(scope="module")
def scenario():
    return from_points(3.5, (37.85, -122.1), STATIONS)


@pytest.fixture(params=["bay_area", "bay_area_evolutionary"])
def model(request):
    return load_model(request.param)


def test_forward_draws_what_sample_draws(model, scenario):
    """To 1e-2 of the peak: CGMGM samples in double precision, `forward` is in single."""
    whole = model.sample(scenario, 2, seed=3)
    batches = list(model.inputs(scenario, 2, seed=3, batch_size=3))
    with torch.no_grad():
        drawn = torch.cat([model(batch) for batch in batches]).numpy()
    assert [len(next(iter(batch.values()))) for batch in batches] == [3, 1]
    assert np.abs(drawn - whole.reshape(drawn.shape)).max() < 1e-2 * np.abs(whole).max()


def test_tools_of_torch_see_its_layers(model, scenario):
    batch = next(model.inputs(scenario))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(batch)
    counts = counter.get_flop_counts()
    assert any(f"{model.name}.decoder" in name for name in counts)


def test_it_samples_in_double_precision(model, scenario):
    """To 1e-2 of the peak."""
    single = model.sample(scenario, seed=3)
    double = model.double().sample(scenario, seed=3)
    assert np.abs(double - single).max() < 1e-2 * np.abs(single).max()
    onsets = np.stack(model.onsets(scenario))
    assert onsets.dtype == np.float64 and np.isfinite(onsets).all()


@pytest.mark.parametrize("entry", BUNDLED, ids=lambda entry: entry.name)
def test_arguments_are_attributes_of_the_same_names(entry):
    cls = model_class(entry.attr)
    model = cls()
    arguments = model.get_model_args()
    assert arguments.keys() == cls.arguments().keys()
    assert cls(**arguments).get_model_args() == arguments
    known = {*cls.from_data, *cls.not_searched, *cls.adjustable, *cls.train_options.values()}
    assert known <= arguments.keys()
