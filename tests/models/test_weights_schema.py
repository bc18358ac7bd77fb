"""The JSON file of weights: every impossible value is named with its field."""

import json

import pytest
import torch

from cgmgm_seis.errors import CgmgmError, WeightsError
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.weights import load_model, weights_info
from cgmgm_seis.models.weights_schema import fault_of


@pytest.fixture
def pair(tiny_weights, tmp_path):
    """Copy the pair of files; a function changes the JSON and returns the path."""

    def changed(**fields):
        metadata = json.loads(tiny_weights.with_suffix(".json").read_text())
        for name, value in fields.items():
            place = metadata
            *parents, last = name.split("__")
            for parent in parents:
                place = place[parent]
            place[last] = value
        (tmp_path / "mine.json").write_text(json.dumps(metadata))
        (tmp_path / "mine.pt").write_bytes(tiny_weights.with_suffix(".pt").read_bytes())
        return tmp_path / "mine"

    return changed


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("model_args", None, r"model_args = null must be an object"),
        ("model_args__ranges", [1, 2], r"model_args\.ranges = \[1, 2\] must be an object"),
        ("model_args__ranges__source_magnitude", [5, 1], r"source_magnitude = \[5, 1\] must be"),
        ("model_args__ranges__source_magnitude", ["a", 1], r"source_magnitude = \['a', 1\]"),
        ("model_args__n_samples", 10**12, r"n_samples = 1000000000000 must be a whole number"),
        ("model_args__n_samples", 10**400, r"n_samples = a number of about 400 digits must be"),
        ("model_args__n_samples", True, r"n_samples = true must be a whole number"),
        ("model_args__n_latents", 10**9, r"n_latents = 1000000000 must be .* from 1 to 4,096"),
        ("model_args__sampling_rate", 0, r"sampling_rate = 0 must be a number from 0\.1"),
        ("model_args__sampling_rate", float("nan"), r"sampling_rate = nan must be"),
        ("model_args__start_offset_s", "-5", r"start_offset_s = '-5' must be a number"),
        ("model_args__component_order", "ZZ", r"component_order = 'ZZ' must be some of"),
        ("model_args__travel_time_grid", {"shape": [2, 2]}, r"travel_time_grid lacks depth_step"),
        ("model_args__travel_time_grid__shape", [10**6, 10**6], r"travel_time_grid\.shape = "),
        ("card", None, r"card = null must be an object"),
        ("card", {"data": []}, r"card\.data = \[\] must be an object"),
        ("card", {"provenance": [{"m": float("inf")}]}, r"card\.provenance\[0\]\.m = inf must"),
        ("docstring", 3, r"docstring = 3 must be a text"),
        ("version", {}, r"version = \{\} must be a text"),
        ("model", ["CGMGM"], r"model = \['CGMGM'\] must be a text"),
        ("model_args__citation", "x" * 10**6, r"citation = 'x{76} \.\. must be"),
    ],
)
def test_an_impossible_value_is_named(pair, field, value, text):
    path = pair(**{field: value})
    for read in (load_model, weights_info):
        with pytest.raises(WeightsError, match=rf"mine\.json: .*{text}") as caught:
            read(path)
        assert len(str(caught.value)) < 500


def test_nested_and_endless_files_are_no_weights(pair, tmp_path):
    path = pair()
    assert load_model(path).ranges["source_magnitude"] == [1.0, 5.0]
    path.with_suffix(".json").write_text('{"model": ' * 100_000)
    with pytest.raises(WeightsError, match="nested too deeply"):
        load_model(path)
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").symlink_to("/dev/full")
    with pytest.raises(CgmgmError):
        load_model(path)


def test_the_bundled_weights_and_other_generators_fit():
    folder = CGMGM.bundled_path().parent.parent
    found = sorted((folder / "bundled").glob("*/*.json.v*"))
    assert found
    for path in found:
        assert fault_of(json.loads(path.read_text())) is None
    assert fault_of({"model": "Toy", "model_args": {"colour": "red", "depths": [1, 2.5]}}) is None
    assert "depths[1] = inf" in str(fault_of({"model_args": {"depths": [1, float("inf")]}}))


def test_what_a_training_could_not_know_is_written_as_null(tiny_model, tmp_path):
    """A card with NaN would make trained weights unreadable."""
    tiny_model.save(tmp_path / "mine", card={"metrics": {"test": float("nan")}})
    assert load_model(tmp_path / "mine").card == {"metrics": {"test": None}}


@pytest.mark.parametrize("state", [{1: torch.zeros(2)}, {"a": 1}, [torch.zeros(2)], 3])
def test_a_state_that_is_none(pair, state):
    path = pair()
    torch.save(state, path.with_suffix(".pt"))
    with pytest.raises(WeightsError, match=r"mine\.pt cannot be loaded"):
        load_model(path)
