"""Published checkpoints as models of this package."""

import json

import numpy as np
import pytest
import torch

from cgmgm_seis.errors import WeightsError
from cgmgm_seis.models.cgmgm.checkpoints import (
    IMPORTABLE,
    published_model,
    read_checkpoint,
    set_scaling,
)
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.conditions import CONDITION_SETS
from cgmgm_seis.scenario.table import from_points

# Shapes of the published network, from the description of its checkpoint.
BINS = 81
SIZES = LATENTS, PRIOR, EMBEDDING = 5, 6, 7


def published_state(n_conditions=6, sizes=SIZES):
    """Return random tensors with the names and shapes of a published checkpoint."""
    latents, prior, embedding = sizes
    hidden = 128 + embedding
    layers = {
        "label_embedding.mlp.mlp": (n_conditions, 32, 32, embedding),
        "encoder.calc_mean.mlp": (hidden, 64, latents),
        "encoder.calc_logvar.mlp": (hidden, 64, latents),
        "decoder.fc.0.mlp": (latents + embedding, 128, 128, BINS),
    }
    shapes = {"z_prior_mean.weight": (latents, prior), "z_prior_mean.bias": (latents,)}
    shapes |= {"z_prior_logvar.weight": (latents, prior), "z_prior_logvar.bias": (latents,)}
    for part, (n_inputs, width, end) in (
        ("encoder.rnn.{}_l0", (BINS + embedding, hidden, 3 * hidden)),
        ("z_prior_gru.{}", (latents + embedding, prior, 3 * prior)),
    ):
        shapes |= {part.format("weight_ih"): (end, n_inputs), part.format("bias_ih"): (end,)}
        shapes |= {part.format("weight_hh"): (end, width), part.format("bias_hh"): (end,)}
    for kind in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"encoder.b_norm.{kind}"] = (hidden,)
    for part, widths in layers.items():
        for number in range(len(widths) - 1):
            name = f"{part}.Linear_{number}"
            shapes[f"{name}.weight"] = (widths[number + 1], widths[number])
            shapes[f"{name}.bias"] = (widths[number + 1],)
    generator = torch.Generator().manual_seed(0)
    state = {
        name: 0.2 * torch.rand(shape, generator=generator) - 0.1 for name, shape in shapes.items()
    }
    state["encoder.b_norm.running_var"] += 1.0
    return {**state, "encoder.b_norm.num_batches_tracked": torch.tensor(3)}


def test_sizes_and_layers_are_those_of_the_tensors(tmp_path):
    torch.save({"model": published_state()}, tmp_path / "best_model.pt")
    state = read_checkpoint(tmp_path / "best_model.pt")
    model = published_model(state)
    assert (model.n_latents, model.prior_size, model.embedding_size) == (LATENTS, PRIOR, EMBEDDING)
    assert model.published and model.component_order == "E" and not model.training
    # Against a plain reading of the checkpoint, layer by layer.
    values = conditions = torch.rand(4, 6)
    for number in range(3):
        name = f"label_embedding.mlp.mlp.Linear_{number}"
        values = torch.relu(values @ state[f"{name}.weight"].T + state[f"{name}.bias"])
    torch.testing.assert_close(model.embedding(conditions), values)


def test_all_parameters_of_the_published_sizes_are_mapped():
    """Latents 32, prior 32, embedding 16: 173,009, each with a value of its own."""
    state = published_state(sizes=(32, 32, 16))
    found = list(published_model(state).parameters())
    assert sum(parameter.numel() for parameter in found) == 173_009
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    theirs = [tensor for name, tensor in state.items() if not name.endswith(buffers)]
    ours = sorted(parameter.sum().item() for parameter in found)
    assert ours == pytest.approx(sorted(tensor.sum().item() for tensor in theirs), rel=1e-5)


@pytest.mark.parametrize("name", IMPORTABLE)
def test_imported_weights_sample_and_are_saved(name, tmp_path):
    model = published_model(published_state(len(CONDITION_SETS[name])), name)
    with pytest.raises(WeightsError, match="is untrained"):
        model.sample(from_points(2.0, (37.6, -122.0), [(37.8, -122.2)]))
    ranges = {column: [0.0, 100.0] for column in CONDITION_SETS[name]}
    ranges |= {column: [-123.0, -121.0] for column in ranges if "longitude" in column}
    ranges["log_amplitude_range"] = [-9, -4]
    (tmp_path / "ranges.json").write_text(json.dumps(ranges))
    set_scaling(model, tmp_path / "ranges.json")
    model.griffin_lim_iterations = 2
    model.save(tmp_path / "mine")
    again = CGMGM.load(tmp_path / "mine")
    assert again.log_amplitude_range == [-9.0, -4.0] and again.published
    scenario = from_points(2.0, (37.6, -122.0), [(37.8, -122.2)])
    if name == "distance":
        with pytest.warns(UserWarning, match="path_rup_distance_km, .* hypocentral"):
            records = again.sample(scenario)
    else:
        records = again.sample(scenario)
    assert np.isfinite(records).all() and np.ptp(records) > 0.0


def test_a_distance_may_be_hypocentral(tmp_path):
    model = published_model(published_state(3), "distance")
    columns = ("source_magnitude", "path_hyp_distance_km", "source_depth_km", "log_amplitude_range")
    (tmp_path / "ranges.json").write_text(json.dumps({name: [1, 2] for name in columns}))
    set_scaling(model, tmp_path / "ranges.json")
    assert list(model.ranges) == list(columns[:3])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[", "not a readable JSON"),
        ("[1]", "must be a JSON object of the ranges log_amplitude_range, source_magnitude, sou"),
        ('{"log_amplitude_range": [-9, -4]}', "ranges log_amplitude_range, source_magnitude"),
        ('{"log_amplitude_range": [-9, -9], "A": [1, 2]}', "log_amplitude_range = .-9, -9. must"),
        ('{"log_amplitude_range": [-9, -4], "A": [3, 2]}', "source_magnitude = .3, 2. must be two"),
        ('{"log_amplitude_range": [-9, -4], "A": ["x", 2]}', "source_magnitude = .'x', 2. must"),
        ('{"log_amplitude_range": [-9, -4], "A": 2}', "source_magnitude = 2 must be two numbers"),
        (
            '{"log_amplitude_range": [-9, -4], "A": [1, 2], "x": [1, 2]}',
            "may also have source_lat",
        ),
    ],
)
def test_bad_ranges_are_named(content, text, tmp_path):
    model = published_model(published_state(2), "depth")
    content = content.replace('"A"', '"source_depth_km": [1, 2], "source_magnitude"')
    (tmp_path / "ranges.json").write_text(content)
    with pytest.raises(WeightsError, match=text):
        set_scaling(model, tmp_path / "ranges.json")
    assert not model.ranges


def test_what_is_no_checkpoint_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    path = tmp_path / "best_model.pt"
    with pytest.raises(WeightsError, match=r"best_model\.pt cannot be read: No such file"):
        read_checkpoint(path)
    for content, text in (
        ({"model": Payload()}, "contains pickled objects"),
        ({"state": {}}, "is not a checkpoint of the published code"),
        ({"model": {"a": 1}}, "is not a checkpoint of the published code"),
        ([], "is not a checkpoint of the published code"),
    ):
        torch.save(content, path)
        with pytest.raises(WeightsError, match=text):
            read_checkpoint(path)
    path.write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="is damaged"):
        read_checkpoint(path)


def test_another_network_is_named():
    state = published_state()
    with pytest.raises(WeightsError, match=r"has a matrix z_prior_gru\.weight_hh"):
        published_model({k: v for k, v in state.items() if k != "z_prior_gru.weight_hh"})
    with pytest.raises(WeightsError, match=r"Missing key.*encoder\.norm\.weight"):
        published_model({k: v for k, v in state.items() if k != "encoder.b_norm.weight"})
    with pytest.raises(WeightsError, match=r"Unexpected key.*attention"):
        published_model({**state, "attention": torch.zeros(3)})
    with pytest.raises(WeightsError, match="size mismatch"):
        published_model({**state, "decoder.fc.0.mlp.Linear_2.bias": torch.zeros(3)})
    with pytest.raises(WeightsError, match="not finite"):
        published_model({**state, "z_prior_mean.bias": torch.full((LATENTS,), torch.nan)})
    with pytest.raises(WeightsError, match=r"'depth' does not fit .* 6 conditions; .* coordinates"):
        published_model(state, "depth")
    with pytest.raises(WeightsError, match=r"'distance_azimuth' .* distance, epicentral_distance"):
        published_model(published_state(3), "distance_azimuth")
