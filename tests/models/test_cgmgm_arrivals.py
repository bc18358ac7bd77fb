"""CGM-GM with arrival times as conditions, with speckle, and calibrated."""

import numpy as np
import pytest
import torch

from cgmgm_seis.errors import CgmgmError, WeightsError
from cgmgm_seis.models.cgmgm.calibration import drawn_ln_energy
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram
from cgmgm_seis.models.conditions import training_ranges
from cgmgm_seis.scenario.table import from_points


@pytest.fixture(scope="module")
def scenario():
    """Twelve receivers at 5 to 60 km."""
    return from_points(3.0, (37.8, -122.2), [(37.8 + 0.045 * k, -122.2) for k in range(1, 13)])


def small(scenario, **arguments):
    torch.manual_seed(0)
    sizes = {"n_latents": 4, "prior_size": 8, "embedding_size": 4, "griffin_lim_iterations": 10}
    model = CGMGM(component_order="ZN", **sizes, **arguments)
    model.ranges = training_ranges(scenario)
    return model.eval()


def test_every_frame_knows_the_time_since_p_and_s(scenario):
    """The analytic values, from the travel-time table: 0 at the arrival, tanh(1) 2 s after it."""
    model = small(scenario, arrivals=True)
    batch = model.conditions(scenario)
    model.embedding = torch.nn.Identity()
    found = model._embedded(batch)[..., -8:].numpy()
    seconds = -5.0 + 0.46 * np.arange(131)
    for phase, times in enumerate(
        model.travel_times.at(scenario["source_depth_km"], scenario["path_ep_distance_km"])
    ):
        since = seconds - np.asarray(times)[:, None]
        np.testing.assert_allclose(found[..., 2 + phase], np.tanh(since / 2.0), atol=1e-5)
        np.testing.assert_allclose(found[..., 6 + phase], since / 60.0, atol=1e-6)


def test_samples_with_arrivals_do_not_depend_on_the_batch(scenario):
    model = small(scenario, arrivals=True)
    whole = model.sample(scenario, seed=5)
    part = model.sample(scenario.iloc[[7, 2]], seed=5, batch_size=1)
    np.testing.assert_allclose(part, whole[[7, 2]], rtol=0, atol=1e-5 * np.abs(whole).max())


def test_arrivals_change_what_the_prior_draws(scenario):
    """Later arrivals change the latents of a record, though its other conditions stay."""
    model = small(scenario, arrivals=True)
    batch = next(model.inputs(scenario))
    later = batch | {"onsets": batch["onsets"] + 1000.0}
    first, second = (
        model.prior.roll(model._embedded(x).float(), x["noise"], x["start"])[0]
        for x in (batch, later)
    )
    assert float((first - second).detach().abs().max()) > 1e-3


def test_speckle_gives_constant_amplitudes_the_statistics_of_white_noise(scenario):
    """Analytic: ln amplitudes have the decoded mean and the scatter pi / sqrt(24) of Rayleigh's.

    Between 1 and 49 Hz and after P, before which records are clipped; mean within 0.02, standard
    deviation within 3 %.
    """
    model = small(scenario, speckle=True)
    model.decoder = torch.nn.Sequential(torch.nn.Linear(8, 2 * 81))
    torch.nn.init.zeros_(model.decoder[0].weight)
    torch.nn.init.constant_(model.decoder[0].bias, 0.5)
    records = torch.as_tensor(model.sample(scenario, n_realizations=4, seed=1)[:, :, :, 2500:])
    spectra = Spectrogram(3500, 160, 46).transform(records)[..., 2:-2, 3:-3]
    found = torch.log(spectra.abs())
    low, high = model.log_amplitude_range
    assert float(found.mean()) == pytest.approx(0.5 * (low + high) * np.log(10.0), abs=0.02)
    assert float(found.std()) == pytest.approx(np.pi / np.sqrt(24.0), rel=0.03)


def test_samples_with_speckle_do_not_depend_on_the_batch(scenario):
    model = small(scenario, speckle=True)
    whole = model.sample(scenario, seed=5)
    part = model.sample(scenario.iloc[[7, 2]], seed=5, batch_size=1)
    np.testing.assert_allclose(part, whole[[7, 2]], rtol=0, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("option", ["arrivals", "speckle"])
def test_the_published_model_has_neither(option):
    with pytest.raises(CgmgmError, match="published = True must not be combined"):
        CGMGM(published=True, **{option: True})


def test_calibrated_records_have_the_energy_of_the_training_records(scenario):
    """Mean over bins within 0.1, bins within 0.15 rms, for random numbers that were not used."""
    model = small(scenario)
    noise = np.random.default_rng(0).normal(size=(12, 2, 6000)).astype(np.float32)
    records = 1e-5 * np.array([[1.0], [3.0]], dtype=np.float32) * noise
    model.fit_normalisation(records, scenario)
    batch = model.on_device(model.features(records, scenario))
    with torch.no_grad():
        card = model.after_training([batch])
        kept = {name: batch[name] for name in ("conditions", "onsets", "span")}
        drawn = drawn_ln_energy(model, model.spectrogram, kept, 99).mean(dim=0)
        gains, model.ln_gains = model.ln_gains, None
        before = drawn_ln_energy(model, model.spectrogram, kept, 99).mean(dim=0)
    # White noise of sigma s: a bin's mean power is s^2 sum(w^2) = 60 s^2, in the frames after P.
    frames = (-5.0 + 0.46 * np.arange(131) >= model.onsets(scenario)[0][:, None]).sum(axis=1)
    wanted = 0.5 * np.log(60.0 * frames * 1e-10).mean() + np.log([[1.0], [3.0]])
    assert np.abs(before.numpy() - wanted).mean(axis=1).min() > 0.3
    np.testing.assert_allclose((drawn.numpy() - wanted).mean(axis=1), 0.0, atol=0.1)
    assert np.sqrt(np.mean((drawn.numpy() - wanted) ** 2)) < 0.15
    assert list(card["ln_energy_bias_taken_off"]) == ["Z", "N"]
    again = CGMGM(**model.get_model_args() | {"ln_gains": gains})
    assert again.ln_gains == gains


def test_gains_of_another_shape_are_refused():
    with pytest.raises(WeightsError, match=r"ln_gains must be a list for each .* ZNE, each of 81"):
        CGMGM(ln_gains=[[0.0, 1.0]])


def test_the_published_model_is_not_calibrated(scenario):
    assert small(scenario, published=True).after_training([]) == {}
