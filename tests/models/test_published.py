"""The published model: against numbers of the published code, and what makes it up one by one."""

import numpy as np
import pytest
import torch
from torch import nn

from cgmgm_seis.models.cgmgm.checkpoints import published_model
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.cgmgm.networks import LatentPrior, decode, deviation
from cgmgm_seis.models.step import Step
from cgmgm_seis.scenario.seeding import Realization
from cgmgm_seis.scenario.table import from_points
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.optimizer import learning_rate
from cgmgm_seis.training.recipe import Recipe
from cgmgm_seis.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"component_order": "E", "n_latents": 4, "prior_size": 5, "embedding_size": 3}


class Given(Step):
    """A step whose random numbers are given, in the order in which they are drawn."""

    def __init__(self, *numbers):
        super().__init__(torch.Generator())
        object.__setattr__(self, "numbers", iter(numbers))

    def normal(self, like):
        found = next(self.numbers)
        assert found.shape == like.shape
        return found


def a_batch(model, n_records=6):
    """Features of noise that decays, at different distances; sets the model's scaling."""
    rng = np.random.default_rng(0)
    scenario = from_points(
        3.0, (37.9, -122.1), [(37.5 + 0.1 * i, -122.3) for i in range(n_records)]
    )
    shape = (n_records, 1, model.n_samples)
    waveforms = rng.normal(0, 1e-5, shape) * np.exp(-np.arange(model.n_samples) / 200)
    model.fit_normalisation(waveforms.astype(np.float32), scenario)
    return model.features(waveforms.astype(np.float32), scenario)


# ---- numbers of the published code ---------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(published_numbers):
    """Numbers of a small network of random weights."""
    return {name: torch.as_tensor(values) for name, values in published_numbers.items()}


@pytest.fixture(scope="module")
def model(golden):
    state = {
        name.removeprefix("state/"): value
        for name, value in golden.items()
        if name.startswith("state/")
    }
    found = published_model(state)
    found.log_amplitude_range = golden["log_amplitude_range"].tolist()
    found.alpha, found.beta = 0.05, 0.2
    return found


@torch.no_grad()
def test_every_network_is_the_published_one(golden, model):
    """Within 1e-5; measured: 4e-7.

    Where an amplitude is 1e-4 of the largest one of its frame, rounding of the Fourier transform,
    which differs between processors, changes its logarithm by as much; the amplitudes themselves
    agree within 5e-6 of the largest one; measured: 2e-6.
    """
    close = {"rtol": 0.0, "atol": 1e-5}
    amplitudes = model._to_frames(model.spectrogram.transform(golden["waveforms"][:, None]).abs())
    scaled, largest = model._scale(amplitudes), amplitudes.amax(dim=2, keepdim=True)
    expected = model._unscale(golden["amplitudes"])
    torch.testing.assert_close(amplitudes / largest, expected / largest, rtol=0.0, atol=5e-6)
    large = amplitudes > 1e-3 * largest
    assert large.float().mean() > 0.9
    torch.testing.assert_close(scaled[large], golden["amplitudes"][large], **close)
    embedding = model.embedding(golden["conditions"])
    torch.testing.assert_close(embedding, golden["embedding"], **close)
    whole = torch.ones(golden["amplitudes"].shape[:2], dtype=torch.bool)
    posterior = model.encoder(golden["amplitudes"], embedding, whole)
    for found, name in zip(posterior, ("mean", "log_variance"), strict=True):
        torch.testing.assert_close(found, golden[f"posterior_{name}_eval"], **close)
    prior = model.prior.roll(embedding, golden["prior_noise"], golden["prior_first_noise"])
    for found, name in zip(prior, ("latents", "mean", "log_variance"), strict=True):
        torch.testing.assert_close(found, golden[f"prior_{name}"], **close)
    decoded = decode(model.decoder, golden["prior_latents"], embedding)
    torch.testing.assert_close(decoded, golden["decoded"], **close)


def test_loss_and_gradient_are_the_published_ones(golden, model):
    """Within 1e-5 relative, batch norm in training mode; measured: 2e-6."""
    model.train()
    batch = {
        "amplitudes": golden["amplitudes"],
        "conditions": golden["conditions"],
        "waveforms": golden["waveforms"][:, None],
        "span": torch.tensor([[0, model.n_samples]]).expand(len(golden["waveforms"]), 2),
    }
    names = ("posterior_noise", "prior_first_noise", "prior_noise")
    parts = model.loss(batch, Given(*(golden[name] for name in names)))
    parts["loss"].backward()
    found = [parts[name].item() for name in ("loss", "amplitude", "waveform", "divergence")]
    expected = golden["loss_total_amplitude_waveform_divergence"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    norm = torch.nn.utils.get_total_norm([each.grad for each in model.parameters()])
    assert norm.item() == pytest.approx(golden["gradient_norm"].item(), rel=1e-5)


# ---- one by one, without them --------------------------------------------------------------------


def test_the_embedding_ends_with_a_relu():
    torch.manual_seed(0)
    conditions = torch.rand(500, 6)
    default, published = CGMGM(**SMALL), CGMGM(**SMALL, published=True)
    published.load_state_dict(default.state_dict())
    assert (default.embedding(conditions) < 0.0).any()
    torch.testing.assert_close(
        published.embedding(conditions), default.embedding(conditions).clamp_min(0.0)
    )


def test_latents_are_drawn_with_half_the_variance_as_deviation():
    """In the prior and, with the posterior, in the loss: there the decoder returns its latents."""
    log_variance = torch.tensor([-2.0, 0.0, 1.0])
    torch.testing.assert_close(deviation(log_variance, True), 0.5 * log_variance.exp())
    torch.testing.assert_close(deviation(log_variance), (0.5 * log_variance).exp())

    torch.manual_seed(0)
    model = CGMGM(**SMALL, n_samples=800, published=True).eval()
    batch = a_batch(model)
    condition = model.embedding(batch["conditions"])
    inside = model.spectrogram.inside(batch["span"])
    mean, log_variance = model.encoder(batch["amplitudes"], condition, inside)
    start, noise, other = (
        torch.randn_like(mean[:, 0]),
        torch.randn_like(mean),
        torch.randn_like(mean),
    )
    latents = mean + 0.5 * log_variance.exp() * noise
    error = (decode(model.decoder, latents, condition) - batch["amplitudes"]).square()
    parts = model.loss(batch, Given(noise, start, other))
    torch.testing.assert_close(parts["amplitude"], error.sum((1, 2)).mean())
    # The embedding is trained by the whole loss.
    (of_amplitude,) = torch.autograd.grad(parts["amplitude"], model.embedding[0].weight)
    assert of_amplitude.abs().max() > 0.0


def test_the_prior_starts_from_a_standard_normal_latent():
    draws = [Realization(0, (float(row),), 0) for row in range(500)]
    start = CGMGM(**SMALL, n_samples=800, published=True).numbers(draws)["start"]
    assert start.shape == (500, 4)
    assert start.mean().item() == pytest.approx(0.0, abs=0.1)
    assert start.std().item() == pytest.approx(1.0, abs=0.1)
    assert not CGMGM(**SMALL, n_samples=800).numbers(draws)["start"].any()

    torch.manual_seed(0)
    prior = LatentPrior(4, 3, 5, published=True)
    condition, noise = torch.randn(2, 3), torch.zeros(2, 1, 4)
    cell = nn.GRUCell(7, 5)
    cell.load_state_dict(
        {key.removesuffix("_l0"): value for key, value in prior.gru.state_dict().items()}
    )
    hidden = cell(torch.cat([start[:2], condition], dim=1), torch.zeros(2, 5))
    latents, _, _ = prior.roll(condition, noise, start[:2])
    torch.testing.assert_close(latents[:, 0], prior.mean(hidden))


def test_a_rectangular_window_both_ways():
    """A perfect output has no error, and one that is ten times too large 9^2 of the energy."""
    model = CGMGM(**SMALL, n_samples=800, published=True)
    batch = a_batch(model)
    energy = batch["waveforms"].square().sum((1, 2))
    truth = model._waveform_error(batch["amplitudes"], batch)
    torch.testing.assert_close(truth / energy, torch.zeros(6), rtol=0.0, atol=1e-6)
    low, high = model.log_amplitude_range
    louder = model._waveform_error(batch["amplitudes"] + 1.0 / (high - low), batch)
    torch.testing.assert_close(louder / energy, torch.full((6,), 81.0), rtol=1e-3, atol=0.0)


def test_it_is_trained_with_adam_and_step_lr(monkeypatch):
    """Weights after 3 epochs are torch's, and the norm of the gradient is far above any clip."""
    settings = {"epochs": 3, "batch_size": 6, "learning_rate": 1e-2, "weight_decay": 1e5}
    recipe = Recipe("CGMGM", {**SMALL, "n_samples": 800, "published": True}, settings)
    config = recipe.config(device="cpu")
    assert (config.optimizer, config.schedule, config.gradient_clip) == ("adam", "step", 0.0)
    model, other = recipe.new_model(0), recipe.new_model(0)
    assert TrainingConfig.of(model, **settings, device="cpu") == config

    def loss(model, *_):
        return {"loss": sum(((each - 0.1) ** 2).sum() for each in model.parameters()) * 1e6}

    monkeypatch.setattr(CGMGM, "loss", loss)
    batch = a_batch(model)
    monkeypatch.setattr("cgmgm_seis.training.optimizer.STEP_EPOCHS", 1)
    trainer = Trainer(model, {"train": batch, "dev": batch}, config)
    optimizer = torch.optim.Adam(other.parameters(), lr=1e-2, weight_decay=1e5)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.99)
    for _ in range(3):
        row = trainer.run_epoch()
        norm = torch.nn.utils.get_total_norm([each.grad for each in model.parameters()])
        assert row["train_gradient_norm"] == pytest.approx(norm.item(), rel=1e-6)
        assert norm > 1e6
        assert row["learning_rate"] == pytest.approx(scheduler.get_last_lr()[0], rel=1e-12)
        optimizer.zero_grad()
        loss(other)["loss"].backward()
        optimizer.step()
        scheduler.step()
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_the_learning_rate_falls_by_a_hundredth_after_a_hundred_epochs():
    config = TrainingConfig(epochs=300, learning_rate=1e-3, schedule="step")
    found = [learning_rate(config, epochs) for epochs in (0, 99.9, 100, 250)]
    assert found == pytest.approx([1e-3, 1e-3, 0.99e-3, 0.99**2 * 1e-3])
