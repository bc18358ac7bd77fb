"""What SeisBench's own tests ask of its models, for both generators with their bundled weights."""

import copy
import io
import pickle

import numpy as np
import pytest
import seisbench.models
import torch

from cgmgm_seis import CGMGM, EvolutionaryCGM, from_points

pytestmark = pytest.mark.usefixtures("one_thread")
BUNDLED = {CGMGM: "bay_area", EvolutionaryCGM: "bay_area_evolutionary"}


@pytest.fixture(scope="module", params=BUNDLED, ids=lambda cls: cls.__name__)
def model(request):
    return request.param.from_pretrained(BUNDLED[request.param])


@pytest.fixture(scope="module")
def scenario():
    return from_points(3.5, (37.85, -122.1), [(37.8, -122.2)])


@pytest.fixture(scope="module")
def drawn(model, scenario):
    return model.sample(scenario, seed=1)


def saved_and_loaded(model, folder, **options):
    model.save(folder / "sub" / "mine", "text", **options)
    return type(model).load(folder / "sub" / "mine", version_str=options.get("version_str"))


def by_torch_save(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)


def from_state_dict(model):
    other = type(model)(**model.get_model_args())
    other.load_state_dict(model.state_dict())
    return other.eval()


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        by_torch_save,
        from_state_dict,
        lambda model: copy.deepcopy(model).train(),
        lambda model: copy.deepcopy(model).to("cpu"),
    ],
    ids=["copy", "deepcopy", "pickle", "torch.save", "state_dict", "train", "to"],
)
def test_copies_draw_the_same(model, scenario, drawn, copied):
    np.testing.assert_array_equal(copied(model).sample(scenario, seed=1), drawn)


@pytest.mark.parametrize("version", [None, "1", "3.1"])
def test_save_and_load(model, scenario, drawn, tmp_path, version):
    back = saved_and_loaded(model, tmp_path, version_str=version)
    assert (back.weights_docstring, back.weights_version) == ("text", version or "1")
    assert back.get_model_args() == model.get_model_args() and back.card == model.card
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], tensor, rtol=0, atol=0)
    np.testing.assert_array_equal(back.sample(scenario, seed=1), drawn)


def test_untrained_models_are_saved_and_loaded(model, tmp_path):
    back = saved_and_loaded(type(model)(), tmp_path)
    assert back.name == model.name and back.ranges == {}


def test_double_precision(model, scenario, drawn, tmp_path):
    """To 1e-2 of the peak; saved in double precision, loaded in single, as in SeisBench."""
    double = copy.deepcopy(model).double()
    assert double.dtype == torch.float64
    peak = np.abs(drawn).max()
    np.testing.assert_allclose(double.sample(scenario, seed=1), drawn, atol=1e-2 * peak)
    back = saved_and_loaded(double, tmp_path)
    assert back.dtype == torch.float32 and double.dtype == torch.float64
    np.testing.assert_allclose(back.sample(scenario, seed=1), drawn, atol=1e-5 * peak)


def test_what_every_model_of_seisbench_says(model, capsys):
    assert isinstance(model, seisbench.models.base.SeisBenchModel)
    assert str(model).startswith(f"SeisBench model\t\t{type(model).__name__}")
    assert str(model.device) == "cpu" and model.dtype == torch.float32
    assert model.weights_docstring and model.weights_version and model.citation
    assert not model.training
    copy.deepcopy(model).to_preferred_device(verbose=True)
    assert "Model device" in capsys.readouterr().out


def test_default_arguments_are_kept(model, tmp_path):
    changed = copy.deepcopy(model)
    changed.default_args["note"] = 1
    assert saved_and_loaded(changed, tmp_path).default_args == {"note": 1}
    assert model.default_args == {}
