"""CGMGM: the published network, its sampling invariants and its SeisBench files."""

import json
import shutil

import numpy as np
import pytest
import seisbench
import torch
from obspy import Stream
from torch import nn

from cgmgm_seis.errors import CgmgmError, RangeError, WeightsError
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.cgmgm.networks import LatentPrior, decode, heard_past, mlp
from cgmgm_seis.models.cgmgm.noise import frames_before, noise_level, without_bursts
from cgmgm_seis.models.conditions import CONDITION_SETS, ExtrapolationWarning, training_ranges
from cgmgm_seis.models.step import Step
from cgmgm_seis.models.weights import load_model, weights_info
from cgmgm_seis.scenario.table import from_points

SOURCE = (37.9, -122.1)
STATIONS = [(37.5, -122.3), (38.0, -121.9), (37.7, -122.0), (37.6, -122.2), (37.85, -122.25)]


@pytest.fixture(scope="module")
def scenario():
    return from_points(4.0, SOURCE, STATIONS)


def untrained(scenario, **kwargs):
    torch.manual_seed(0)
    model = CGMGM(griffin_lim_iterations=5, **kwargs)
    model.ranges = training_ranges(scenario)
    return model.eval()


@pytest.fixture(scope="module")
def model(scenario):
    return untrained(scenario)


def test_the_published_network_has_the_published_number_of_parameters():
    """Ren et al.: 173,009 at latent 32, GRU prior 32, embedding 16, one component."""
    model = CGMGM(component_order="E")
    assert sum(parameter.numel() for parameter in model.parameters()) == 173_009


@pytest.mark.parametrize("component_order", ["E", "ZNE", "NZ"])
@pytest.mark.parametrize("condition_set", CONDITION_SETS)
def test_every_condition_set_and_component_order_samples(scenario, condition_set, component_order):
    model = untrained(scenario, condition_set=condition_set, component_order=component_order)
    records = model.sample(scenario, n_realizations=2)
    assert records.shape == (5, 2, len(component_order), 6000)
    assert records.dtype == np.float32
    assert np.isfinite(records).all()
    assert np.ptp(records, axis=-1).min() > 0


def test_bursts_before_the_first_arrival_are_limited():
    """White noise with a tenfold first second: P comes at 20 s, and after it nothing changes."""
    model = CGMGM(component_order="Z")
    noise = torch.randn(2, 1, 6000, generator=torch.Generator().manual_seed(0))
    burst = noise.clone()
    burst[..., :100] *= 10
    before = frames_before(model.spectrogram, torch.tensor([2000.0, 2000.0]))
    assert before.sum(dim=1).tolist() == [42, 42]  # frames at 0, 46, .., 1886 end before 2000 - 80
    quiet, loud = (model.spectrogram.transform(record).abs() for record in (noise, burst))
    limited = without_bursts(loud, before)
    assert float(loud[..., 0].mean() / quiet[..., 20:40].mean()) > 5
    assert float(limited[..., 0].mean() / quiet[..., 20:40].mean()) < 1.5
    torch.testing.assert_close(limited[..., 42:], loud[..., 42:])
    level = noise_level(model.spectrogram, limited, before)
    torch.testing.assert_close(level, torch.ones(2, 1), atol=0.2, rtol=0)


def test_samples_do_not_depend_on_batch_order_or_subset(model, scenario):
    """To rounding: within 1e-5 of the record's peak."""
    whole = model.sample(scenario, n_realizations=3, seed=5)
    peak = np.abs(whole).max()
    again = model.sample(scenario, n_realizations=3, seed=5, batch_size=2)
    np.testing.assert_allclose(again, whole, rtol=0, atol=1e-5 * peak)
    subset = model.sample(scenario.iloc[[4, 1]], n_realizations=1, seed=5)
    np.testing.assert_allclose(subset[:, 0], whole[[4, 1], 0], rtol=0, atol=1e-5 * peak)


def test_seeds_and_realizations_differ(model, scenario):
    first = model.sample(scenario.iloc[:1], n_realizations=2, seed=1)
    second = model.sample(scenario.iloc[:1], n_realizations=2, seed=2)
    for one, other in [(first[0, 0], first[0, 1]), (first[0, 0], second[0, 0])]:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.5


def test_amplitudes_scale_with_the_log_amplitude_range(scenario):
    """A shift of the log amplitudes by one decade is a factor of ten in the records."""
    model = untrained(scenario)
    model.log_amplitude_range = [-6.0, -4.0]
    quiet = model.sample(scenario, seed=3)
    model.log_amplitude_range = [-5.0, -3.0]
    loud = model.sample(scenario, seed=3)
    np.testing.assert_allclose(loud, 10 * quiet, rtol=0, atol=2e-3 * np.abs(loud).max())


def test_rolled_prior_is_torchs_gru_cell():
    torch.manual_seed(1)
    prior = LatentPrior(n_latents=4, embedding_size=3, width=5)
    condition, noise = torch.randn(2, 3), torch.randn(2, 7, 4)
    latents, means, log_variances = prior.roll(condition, noise)
    cell = nn.GRUCell(7, 5)
    cell.load_state_dict(
        {key.removesuffix("_l0"): value for key, value in prior.gru.state_dict().items()}
    )
    hidden, latent = torch.zeros(2, 5), torch.zeros(2, 4)
    for frame in range(7):
        hidden = cell(torch.cat([latent, condition], dim=1), hidden)
        mean, log_variance = prior.mean(hidden), prior.log_variance(hidden)
        latent = mean + torch.exp(0.5 * log_variance) * noise[:, frame]
        torch.testing.assert_close(latents[:, frame], latent)
        torch.testing.assert_close(means[:, frame], mean)
        torch.testing.assert_close(log_variances[:, frame], log_variance)
    # Given the latents it drew, the fused pass finds the same moments.
    mean, log_variance = prior(latents, condition)
    torch.testing.assert_close(mean, means, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(log_variance, log_variances, atol=1e-5, rtol=1e-4)


def test_the_prior_hears_a_random_share_of_the_past():
    latents = torch.randn(2000, 50, 4)
    heard = heard_past(latents, Step(torch.Generator().manual_seed(0)))
    shares = heard.mean(dim=1)
    assert set(heard.unique().tolist()) == {0.0, 1.0}
    # Uniform between none and all: mean 1/2, variance 1/12 and a little from 50 draws.
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(shares.var()) == pytest.approx(1 / 12 + 1 / 6 / 50, abs=0.005)

    prior = LatentPrior(n_latents=4, embedding_size=3, width=5)
    condition = torch.randn(2000, 3)
    deaf, _ = prior(latents, condition, torch.zeros_like(heard))
    same, _ = prior(torch.zeros_like(latents), condition)
    torch.testing.assert_close(deaf, same)


def test_published_sampling_uses_the_published_deviation():
    torch.manual_seed(1)
    ours, published = LatentPrior(4, 3, 5), LatentPrior(4, 3, 5, published=True)
    published.load_state_dict(ours.state_dict())
    condition, noise = torch.randn(2, 3), torch.randn(2, 1, 4)
    (a, mean, log_variance), (b, _, _) = (
        ours.roll(condition, noise),
        published.roll(condition, noise),
    )
    torch.testing.assert_close(a - mean, torch.exp(0.5 * log_variance) * noise)
    torch.testing.assert_close(b - mean, 0.5 * torch.exp(log_variance) * noise)


def test_decoder_hears_latent_and_condition_in_every_frame():
    torch.manual_seed(1)
    decoder = mlp(7, 6, 6, 9)
    latents, condition = torch.randn(2, 11, 4), torch.randn(2, 3)
    repeated = torch.cat([latents, condition[:, None].expand(-1, 11, -1)], dim=-1)
    torch.testing.assert_close(decode(decoder, latents, condition), decoder(repeated))


@pytest.mark.parametrize("published", [False, True])
def test_loss_parts(scenario, published):
    """The divergence is torch.distributions'; a perfect decoder has no waveform error."""
    rng = np.random.default_rng(0)
    waveforms = rng.normal(0, 1e-5, (5, 3, 6000)).astype(np.float32)
    model = untrained(scenario, published=published, alpha=0.01)
    model.fit_normalisation(waveforms, scenario)
    batch = model.features(waveforms, scenario)
    assert batch["amplitudes"].min() == pytest.approx(0.0, abs=1e-5)
    assert batch["amplitudes"].max() == pytest.approx(1.0, abs=1e-5)
    parts = model.loss(batch, Step(torch.Generator().manual_seed(1)))
    expected = parts["amplitude"] + model.alpha * parts["waveform"] + 0.02 * parts["divergence"]
    torch.testing.assert_close(parts["loss"], expected)
    truth = model._waveform_error(batch["amplitudes"], batch).numpy()
    energy = (waveforms**2).sum((1, 2)) if published else 1.0
    np.testing.assert_allclose(truth / energy, 0.0, atol=1e-6)

    generator = torch.Generator().manual_seed(1)
    condition = model.embedding(batch["conditions"])
    inside = model.spectrogram.inside(batch["span"])
    mean, log_variance = model.encoder(batch["amplitudes"], condition, inside)
    noise = torch.empty_like(mean).normal_(generator=generator)
    if published:
        start = torch.empty_like(mean[:, 0]).normal_(generator=generator)
        prior_noise = torch.empty_like(mean).normal_(generator=generator)
        _, prior_mean, prior_log_variance = model.prior.roll(condition, prior_noise, start)
    else:
        latents = mean + torch.exp(0.5 * log_variance) * noise
        heard = heard_past(latents, Step(generator))
        prior_mean, prior_log_variance = model.prior(latents, condition, heard)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)),
        torch.distributions.Normal(prior_mean, torch.exp(0.5 * prior_log_variance)),
    )
    torch.testing.assert_close(parts["divergence"], theirs.sum((1, 2)).mean(), rtol=1e-3, atol=1e-3)


def test_waveform_error_is_parsevals(scenario):
    """The relative error of records scaled by 1.1 is 0.1^2 of their 6000 variances."""
    rng = np.random.default_rng(0)
    waveforms = rng.normal(0, 1e-5, (5, 3, 6000)).astype(np.float32)
    model = untrained(scenario, alpha=0.01)
    model.fit_normalisation(1.2 * waveforms, scenario)
    batch = model.features(waveforms, scenario)
    louder = model.features(1.1 * waveforms, scenario)["amplitudes"]
    error = model._waveform_error(louder, batch)
    np.testing.assert_allclose(error.numpy(), 0.01 * 6000, rtol=0.03)


def test_save_and_load_give_the_same_samples_exactly(model, scenario, tmp_path):
    model.save(tmp_path / "mine", "my weights", version_str="3", card={"seed": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json.v3", "mine.pt.v3"]
    again = CGMGM.load(tmp_path / "mine", version_str="3")
    np.testing.assert_array_equal(again.sample(scenario, seed=9), model.sample(scenario, seed=9))
    assert again.weights_docstring == "my weights"
    assert again.weights_version == "3"
    assert again.card == {"seed": 1}
    assert again.get_model_args() == model.get_model_args()
    assert "Ren et al." in again.citation
    assert json.loads(json.dumps(again.get_model_args())) == again.get_model_args()
    again.to_preferred_device()


def test_travel_times_travel_with_the_weights(model, scenario, tmp_path):
    table = model.travel_times
    changed = untrained(scenario)
    changed.set_travel_times(type(table)(2 * table.times[:, :10, :50], 1.0, 2.0))
    changed.save(tmp_path / "other")
    again = CGMGM.load(tmp_path / "other").travel_times
    np.testing.assert_allclose(again.times, 2 * table.times[:, :10, :50], rtol=1e-6)
    assert again.distance_step_km == 2.0


def test_scenarios_outside_the_training_range(model, scenario):
    strong = scenario.assign(source_magnitude=6.0)
    with pytest.raises(RangeError, match=r"source_magnitude = 6 .* 4 to 4"):
        model.sample(strong)
    with pytest.warns(ExtrapolationWarning, match="source_magnitude"):
        model.sample(strong, extrapolate=2)
    with pytest.raises(WeightsError, match="is untrained"):
        CGMGM().sample(scenario)


def test_generate_returns_a_stream(model, scenario):
    stream = model.generate(scenario, n_realizations=2, seed=1)
    assert isinstance(stream, Stream)
    assert len(stream) == 5 * 2 * 3
    records = model.sample(scenario, n_realizations=2, seed=1)
    trace = stream.select(station="V0001", location="01", channel="HXN")[0]
    np.testing.assert_array_equal(trace.data, records[1, 1, 1])


def test_damaged_and_unsafe_weights_are_refused(model, tmp_path):
    model.save(tmp_path / "good")
    good_json, good_pt = tmp_path / "good.json", tmp_path / "good.pt"

    shutil.copy(good_json, tmp_path / "short.json")
    (tmp_path / "short.pt").write_bytes(good_pt.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"short\.pt"):
        CGMGM.load(tmp_path / "short")

    class Payload:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    shutil.copy(good_json, tmp_path / "evil.json")
    torch.save({"x": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError, match="pickled"):
        CGMGM.load(tmp_path / "evil")

    metadata = json.loads(good_json.read_text())
    (tmp_path / "other.json").write_text(json.dumps(metadata | {"model": "PhaseNet"}))
    shutil.copy(good_pt, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="PhaseNet"):
        CGMGM.load(tmp_path / "other")

    shutil.copy(good_json, tmp_path / "alone.json")
    with pytest.raises(WeightsError, match="missing"):
        CGMGM.load(tmp_path / "alone")

    (tmp_path / "text.json").write_text("no json")
    with pytest.raises(WeightsError, match=r"text\.json"):
        load_model(tmp_path / "text")

    broken = CGMGM.load(tmp_path / "good")
    broken.decoder[0].weight.data[0, 0] = torch.nan
    broken.save(tmp_path / "nan")
    with pytest.raises(WeightsError, match="must be finite"):
        CGMGM.load(tmp_path / "nan")

    falling = metadata["model_args"] | {"ranges": {"source_magnitude": [5.0, 1.0]}}
    (tmp_path / "range.json").write_text(json.dumps(metadata | {"model_args": falling}))
    shutil.copy(good_pt, tmp_path / "range.pt")
    with pytest.raises(WeightsError, match="ranges"):
        CGMGM.load(tmp_path / "range")

    arguments = metadata["model_args"] | {"n_latents": 8}
    (tmp_path / "shape.json").write_text(json.dumps(metadata | {"model_args": arguments}))
    shutil.copy(good_pt, tmp_path / "shape.pt")
    with pytest.raises(WeightsError, match="size mismatch"):
        CGMGM.load(tmp_path / "shape")


def test_a_failed_save_leaves_the_old_weights(model, tmp_path, monkeypatch):
    model.save(tmp_path / "kept")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        model.save(tmp_path / "kept")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pretrained_names(model, tmp_path, monkeypatch):
    """Bundled weights first, then SeisBench's cache; a missing name lists those there are."""
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path)
    assert "bay_area" in CGMGM.list_pretrained()
    assert "SIMULATED" in CGMGM.list_pretrained(details=True)["bay_area"]
    with pytest.raises(WeightsError, match=r"'nothing'.*bay_area"):
        CGMGM.from_pretrained("nothing")
    for version in ("2", "10"):
        model.save(tmp_path / "cgmgm" / "mine", f"version {version}", version_str=version)
    assert CGMGM.from_pretrained("mine").weights_docstring == "version 10"
    assert CGMGM.from_pretrained("mine", version_str="2").weights_docstring == "version 2"
    assert {"bay_area", "mine"} <= set(CGMGM.list_pretrained())
    with pytest.raises(WeightsError, match="mine"):
        CGMGM.from_pretrained("mine", version_str="3")


def test_weights_by_name_and_by_path(model, tmp_path):
    model.save(tmp_path / "mine", "text")
    for path in (tmp_path / "mine", tmp_path / "mine.json", str(tmp_path / "mine.pt")):
        assert load_model(path).weights_sha256 == weights_info(path)["sha256"]["mine.pt"]
    assert load_model("bay_area").weights_version == weights_info("bay_area")["version"]
    with pytest.raises(WeightsError, match="bay_area"):
        load_model(tmp_path / "nothing")
    for name in ("", "/", ".."):
        with pytest.raises(WeightsError, match="must be a name"):
            load_model(name)
    with pytest.raises(CgmgmError, match="Device 'teapot'"):
        load_model("bay_area", device="teapot")
