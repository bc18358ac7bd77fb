"""EvolutionaryCGM: the contract, the randomness, training on a small catalogue, and its weights."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from scipy.spatial import Delaunay

import cgmgm_seis
from cgmgm_seis import EvolutionaryCGM, bay_area_stations, from_points
from cgmgm_seis.errors import CgmgmError, RangeError
from cgmgm_seis.measures.intensity import smoothed_fas
from cgmgm_seis.measures.picks import pick
from cgmgm_seis.models.evolutionary.places import fourier_features
from cgmgm_seis.models.step import Step
from cgmgm_seis.simulator.catalogue import simulate_catalogue
from cgmgm_seis.simulator.earthquakes import draw_catalogue
from cgmgm_seis.simulator.region import true_fields
from cgmgm_seis.simulator.seismograms import simulate_records, true_arrival_times
from cgmgm_seis.simulator.spectra import ln_spectrum
from cgmgm_seis.training.config import TrainingConfig
from cgmgm_seis.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

STATIONS = [(37.9 - 0.05 * i, -122.1 - 0.05 * i) for i in range(5)]


@pytest.fixture(scope="module")
def model(tiny_ranges):
    """Untrained, with random outputs of a plausible level."""
    torch.manual_seed(0)
    model = EvolutionaryCGM(ranges=tiny_ranges, centre=[37.8, -122.2])
    model.waves = 0.05 * torch.randn_like(model.waves)
    model.decoder.noise_level += -34.0
    model.decoder.wave_level += -27.0
    for layer in (model.decoder.output, model.decoder.places):
        torch.nn.init.normal_(layer.weight, std=0.02)
    return model.eval()


@pytest.fixture(scope="module")
def scenario():
    return from_points(3.0, (37.8, -122.2), STATIONS)


@pytest.fixture(scope="module")
def catalogue():
    """About 300 simulated records."""
    return simulate_catalogue(30, seed=4)


@pytest.fixture(scope="module")
def bundled():
    return EvolutionaryCGM.from_pretrained("bay_area_evolutionary")


def test_a_record_does_not_depend_on_the_others(model, scenario):
    """Same seed, any batch size, order and subset: within 1e-5 of the peak."""
    whole = model.sample(scenario, 3, seed=5)
    assert whole.shape == (5, 3, 3, 6000) and whole.dtype == np.float32
    peak = np.abs(whole).max()
    small = model.sample(scenario, 3, seed=5, batch_size=2)
    backwards = model.sample(scenario[::-1].reset_index(drop=True), 3, seed=5)[::-1]
    one = model.sample(scenario[2:3].reset_index(drop=True), 2, seed=5)[0]
    for other, part in ((small, whole), (backwards, whole), (one, whole[2, :2])):
        assert np.abs(other - part).max() < 1e-5 * peak
    assert np.abs(model.sample(scenario, 1, seed=6)[:, 0] - whole[:, 0]).max() > 0.1 * peak


def test_saved_and_loaded_it_draws_the_same(model, scenario, tmp_path):
    model.save(tmp_path / "tiny")
    again = EvolutionaryCGM.load(tmp_path / "tiny")
    assert again.get_model_args() == model.get_model_args()
    assert np.array_equal(again.sample(scenario, seed=1), model.sample(scenario, seed=1))


def test_the_stations_of_an_event_move_together(model):
    """With latents that are the event's alone, loudness correlates between stations; else not."""
    points = [(37.8, -122.2 + 0.01 * i) for i in range(12)]
    table = from_points(3.0, (37.75, -122.15), points)
    fresh = EvolutionaryCGM(**model.get_model_args())
    fresh.load_state_dict(model.state_dict())
    # Every output moves the same way.
    torch.nn.init.constant_(fresh.decoder.loadings.weight, 0.05)
    fresh.eval()
    correlations = []
    for between, within in ((1.0, 0.01), (0.01, 1.0)):
        fresh.effects.between = between * torch.eye(fresh.n_latents)
        fresh.effects.within = within * torch.eye(fresh.n_latents)
        levels = np.log(np.abs(fresh.sample(table, 40, seed=2)).max(axis=-1)).mean(axis=-1)
        matrix = np.corrcoef(levels)
        correlations.append(matrix[np.triu_indices(len(matrix), 1)].mean())
    assert correlations[0] > 0.5
    assert abs(correlations[1]) < 0.2


def test_parts_of_the_window_are_parts_of_the_record(model, scenario):
    whole = model.generate(scenario, seed=3)
    part = model.generate(scenario, seed=3, components="EZ", start_offset_s=1.25, duration_s=20.0)
    assert {trace.stats.channel for trace in part} == {"HXE", "HXZ"}
    for trace in part:
        assert trace.stats.npts == 2000
        same = whole.select(id=trace.id)[0].slice(trace.stats.starttime, trace.stats.endtime)
        assert np.array_equal(same.data, trace.data)
    assert part[0].stats.starttime - whole[0].stats.starttime == pytest.approx(6.25)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"start_offset_s": -6.0}, "starting -6 s after"),
        ({"duration_s": 61.0}, "starting -5 s .* lasting 61 s must lie within"),
        ({"duration_s": 0.0}, "-5 to 55 s"),
        ({"components": "ZR"}, "components = 'ZR'"),
        ({"components": "ZZ"}, "each once"),
        ({"components": ""}, "some of ZNE"),
    ],
)
def test_other_windows_are_refused(model, scenario, arguments, text):
    with pytest.raises(CgmgmError, match=text):
        model.generate(scenario, **arguments)


def test_outside_its_ranges_it_refuses(model):
    with pytest.raises(RangeError, match="source_magnitude"):
        model.sample(from_points(7.0, (37.8, -122.2), STATIONS))


def test_whitening_flattens_the_mean_spectrum(catalogue):
    """From several ln units to a third of them or less, between 0.6 and 45 Hz."""
    waveforms, table = catalogue
    model = EvolutionaryCGM()
    bins = slice(1, 72)

    def spread(powers):
        spectra = powers.sum(dim=1).unflatten(1, (3, -1)).log().mean(dim=(0, 1))
        return float(spectra[bins].max() - spectra[bins].min())

    before = spread(model.powers(waveforms[:100]))
    model.fit_normalisation(waveforms, table)
    assert before > 6.0
    assert spread(model.powers(waveforms[:100])) < before / 3.0
    # Minimum phase: all zeros inside the unit circle, so that the inverse is causal and stable.
    assert np.abs(np.roots(model.whitening.numpy())).max() < 1.0


def test_the_cut_of_a_record_is_not_taken_for_noise(catalogue):
    """Frames at both ends hold as much of steep noise as those in between, within 10 %.

    A filter that starts on the first sample hears a step, ten times louder at 5 Hz.
    """
    waveforms, table = catalogue
    model = EvolutionaryCGM()
    model.fit_normalisation(waveforms, table)
    white = np.random.default_rng(1).standard_normal((300, 3, 7000))
    steep = lfilter([1.0], model.whitening.numpy(), white)[:, :, -6000:]
    powers = model.powers(steep.astype(np.float32)).mean(dim=0).unflatten(1, (3, 81))
    edges, middle = powers[[0, 1, -2, -1]].mean(dim=0), powers[10:-10].mean(dim=0)
    ratio = (edges / middle).mean(dim=0)
    for bins in (slice(1, 4), slice(4, 16), slice(16, 81)):
        assert float(ratio[bins].mean()) == pytest.approx(1.0, abs=0.1)


def test_noise_is_drawn_as_steep_as_it_was_recorded(catalogue):
    """The shape of the spectrum below 2 Hz, where it changes within a bin: ln power within 0.4."""
    waveforms, table = catalogue
    model = EvolutionaryCGM()
    model.fit_normalisation(waveforms, table)
    far = (table["path_hyp_distance_km"] > 60.0).to_numpy()
    recorded = waveforms[far][:, :, :1000]
    evolution, n = model.evolution, 400
    powers = model.powers(recorded).unflatten(2, (3, -1)) / evolution.noise_response
    level = powers.log().mean(dim=(0, 1)).exp()
    numbers = evolution.keys([np.random.default_rng([3, i]) for i in range(n)])
    drawn = evolution.draw(
        level.expand(n, -1, -1),
        torch.zeros(n, 2, evolution.n_envelopes, 3, 81),
        torch.full((n, 2), 1000.0),
        numbers,
        model._colour(evolution.n_draw),
    ).numpy()[:, :, :1000]
    window = np.hanning(1000)
    ratio = np.zeros(501)
    for records, sign in ((drawn, 1.0), (recorded, -1.0)):
        power = np.abs(np.fft.rfft(records * window)) ** 2
        ratio += sign * np.log(power).mean(axis=(0, 1))
    shape = np.array([ratio[low:high].mean() for low, high in ((2, 4), (4, 7), (7, 11), (11, 20))])
    assert np.abs(shape - shape.mean()).max() < 0.4


def test_the_scatter_is_that_of_drawn_spectra(model):
    """Against ln FAS of S for 4,000 latents, between events and within them, to 4 %."""
    fresh = EvolutionaryCGM(**model.get_model_args())
    fresh.load_state_dict(model.state_dict())
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(16, 16, generator=rng) / 4.0
    fresh.effects.between, fresh.effects.within = root @ root.T, 0.3 * torch.eye(16) + root.T @ root
    low, high = model.ranges["source_magnitude"]
    frequencies = [1.25, 5.0, 10.0]
    found = fresh.scatter(frequencies, low + 0.75 * (high - low))
    event, record = torch.randn(2, 4000, 16, generator=rng)
    none = torch.zeros(4000, 16)
    for wanted, latents in (
        (found.tau, fresh.effects.draw(event, none)),
        (found.phi, fresh.effects.draw(none, record)),
    ):
        zeros = torch.zeros(4000, sum(fresh.decoder.sizes))
        output = fresh.decoder.with_latents(zeros, latents, torch.full((4000,), 0.5))
        spectra = 0.5 * fresh.decoder.spectra(output).waves[:, 1].sum(dim=1).log()
        scatter = spectra[..., [2, 8, 16]].std(dim=0).detach().numpy()
        assert wanted == pytest.approx(scatter, rel=0.04)


def test_the_loss_is_the_gaussian_likelihood(model, catalogue):
    """Against torch's normal distribution of real and imaginary parts."""
    waveforms, table = catalogue
    fresh = EvolutionaryCGM()
    fresh.fit_normalisation(waveforms, table)
    batch = fresh.features(waveforms[:8], table.iloc[:8])
    found = fresh.loss(batch, Step(torch.Generator(), progress=0.0))
    times = batch["times"] - fresh.start_offset_s
    spectra = fresh.decoder.spectra(fresh.decoder(batch))
    s2 = fresh._means(spectra, times).expected().double()
    # |X|^2 of a complex normal coefficient is exponential; of a real one it is s2 chi-squared(1).
    log_density = torch.distributions.Exponential(1.0 / s2).log_prob(batch["powers"].double())
    log_density = log_density.unflatten(2, (3, 81))
    real = torch.distributions.Normal(0.0, s2.sqrt()).log_prob(batch["powers"].double().sqrt())
    real = real + 0.5 * np.log(2.0 * np.pi)
    log_density[..., 0] = real.unflatten(2, (3, 81))[..., 0]
    log_density[..., -1] = real.unflatten(2, (3, 81))[..., -1]
    weight = 40 / 160
    expected = -weight * log_density.detach().sum(dim=(1, 2, 3)).mean()
    level = fresh.decoder.noise_level + np.log(fresh.evolution.noise_response)
    level[:, [0, -1]] *= 0.5
    expected = float(expected - weight * batch["powers"].shape[1] * level.detach().double().sum())
    assert float(found["likelihood"].detach()) == pytest.approx(expected, rel=1e-4)
    assert float(found["divergence"]) == 0.0


def test_steps_of_the_loadings_are_those_of_drawn_spectra(model):
    """Against the spectra themselves, for 4,000 latents at three magnitudes, to 5 %."""
    decoder, rng = model.decoder, torch.Generator().manual_seed(0)
    normal = torch.randn(4000, model.n_latents, generator=rng)
    latents = normal @ model.effects.spread().T
    found = 0.0
    for magnitude in (-1.0, 0.0, 1.0):
        zeros = torch.zeros(len(latents), sum(decoder.sizes))
        output = decoder.with_latents(zeros, latents, torch.full((len(latents),), magnitude))
        energies = torch.log(decoder.spectra(output).waves.sum(dim=2)) - decoder.wave_level
        at_nodes = energies[..., decoder.nodes.argmax(dim=1)]
        found += float(at_nodes.detach().diff(dim=-1).square().mean(dim=0).sum()) / 3.0
    with torch.no_grad():
        steps = float(decoder.loading_steps(model.effects.spread()))
    assert found == pytest.approx(steps, rel=0.05)


def test_smoothed_sites_are_the_mean_of_a_gaussian_process(model):
    """Against scikit-learn's Gaussian process of the same covariance, at places in between."""
    linear = pytest.importorskip("sklearn.gaussian_process.kernels").DotProduct
    regressor = pytest.importorskip("sklearn.gaussian_process").GaussianProcessRegressor
    waves = np.random.default_rng(0).standard_normal((model.n_waves, 2)) / 20.0
    features = fourier_features(np.random.default_rng(1).uniform(-40, 40, (30, 2)), waves)
    decoder = EvolutionaryCGM().decoder
    before = decoder.site.weight.detach().double().numpy()
    decoder.smooth_sites(torch.as_tensor(features[:20]), 0.15)
    after = decoder.site.weight.detach().double().numpy()
    process = regressor(linear(0.0, "fixed"), alpha=0.15**2, optimizer=None)
    process.fit(features[:20], features[:20] @ before.T)
    assert features @ after.T == pytest.approx(process.predict(features), abs=1e-5)
    assert np.linalg.norm(after) < np.linalg.norm(before)


def test_training_learns_and_draws_something_like_the_data(catalogue):
    """Twelve epochs on 240 records: the loss falls; ln FAS above the noise is calibrated."""
    waveforms, table = catalogue
    train, dev = np.arange(240), np.arange(240, len(table))
    torch.manual_seed(0)
    model = EvolutionaryCGM(width=32)
    model.fit_normalisation(waveforms[train], table.iloc[train])
    splits = {
        name: model.features(waveforms[rows], table.iloc[rows])
        for name, rows in (("train", train), ("dev", dev))
    }
    config = TrainingConfig.of(model, epochs=12, batch_size=24, device="cpu", seed=1)
    trainer = Trainer(model, splits, config)
    rows = [trainer.run_epoch() for _ in range(config.epochs)]
    assert rows[-1]["dev_loss"] < rows[0]["dev_loss"]
    assert np.isfinite([list(row.values()) for row in rows]).all()
    model.load_state_dict(trainer.best_weights)
    model.eval()
    card = model.after_training(trainer.batches("train"))
    assert len(card["bias_taken_off"]["ln FAS"]["Z"]) == len(model.evolution.nodes_hz)
    # Of eight realizations, since event terms of one shift the mean of two dozen events by 0.1.
    # Where noise is as strong, so short a training has not learned its level.
    train = train[(table["trace_snr_db"].iloc[train] > 30.0).to_numpy()]
    scenario = table.iloc[train].reset_index(drop=True)
    drawn = model.sample(scenario, 8, seed=1, extrapolate=True)
    bias = np.log(smoothed_fas(drawn, 100.0, [1.0, 5.0])).mean(axis=1) - np.log(
        smoothed_fas(waveforms[train], 100.0, [1.0, 5.0])
    )
    assert bias.mean(axis=(0, 1)) == pytest.approx([0.0, 0.0], abs=0.1)


def test_batches_hold_whole_events(catalogue):
    waveforms, table = catalogue
    model = EvolutionaryCGM(width=16)
    model.fit_normalisation(waveforms, table)
    features = model.features(waveforms, table)
    trainer = Trainer(model, {"train": features, "dev": features}, TrainingConfig(batch_size=24))
    seen: list[set[int]] = []
    total = 0
    for batch in trainer.batches("train", np.random.default_rng(0)):
        seen.append(set(batch["event"].tolist()))
        total += len(batch["event"])
    assert total == len(table) and len(seen) > 5
    assert sum(map(len, seen)) == table["source_id"].nunique()


# ---- the bundled weights -----------------------------------------------------------------------


def unseen_pairs(n_events=60):
    """Scenarios of a catalogue that no weights were trained on."""
    return draw_catalogue(n_events, seed=7)


@pytest.fixture(scope="module")
def delays(bundled):
    """Learned and true corrections of the 1-D times of unseen pairs, each (record, wave)."""
    table = unseen_pairs()
    conditions = bundled.conditions(table)
    with torch.no_grad():
        learned = bundled.decoder.delays(conditions).numpy()
    return learned, np.stack(true_arrival_times(table), axis=1) - conditions["times"].numpy()


def test_the_lateral_travel_times_are_learned_from_waveforms(delays):
    """Correlation of the learned with the true correction over unseen pairs: at least 0.8."""
    for learned, true in zip(*(part.T for part in delays), strict=True):
        assert np.corrcoef(learned, true)[0, 1] > 0.8


@pytest.mark.parametrize("wave", [0, 1], ids="PS")
def test_onsets_are_right(delays, wave):
    learned, true = delays
    assert np.abs(learned - true)[:, wave].mean() < 0.12


def inside_hull(points, stations):
    return Delaunay(stations).find_simplex(points) >= 0


def ln_s(model, table, frequency=5.0):
    """ln of the S energy spectrum of the horizontals at a frequency, the latents at their mean."""
    energy = model.median_spectra(table).waves.sum(dim=2)
    return 0.5 * energy[:, 1, 1:, round(frequency * 1.6)].log().mean(dim=1).numpy()


def test_site_and_path_maps_are_those_of_the_region(bundled):
    """Correlation with the simulator's true fields inside the stations' hull: at least 0.7."""
    stations = bay_area_stations()[["station_latitude_deg", "station_longitude_deg"]].to_numpy()
    lat, lon = np.meshgrid(np.linspace(37.3, 38.1, 12), np.linspace(-122.5, -121.9, 12))
    places = np.stack([lat.ravel(), lon.ravel()], axis=1)
    places = places[inside_hull(places, stations)]
    centres = [(37.5, -122.4), (38.0, -122.0), (37.4, -121.8), (37.9, -122.5)]
    tables = [from_points(3.0, centre, [tuple(p) for p in places]) for centre in centres]
    # Site: the mean over sources, which averages paths out, less the trend with distance.
    learned = np.mean([ln_s(bundled, table) for table in tables], axis=0)
    true = np.mean([ln_spectrum(table, [5.0])[:, 0] for table in tables], axis=0)
    design = np.stack(
        [np.ones(len(places))] + [np.log(table["path_hyp_distance_km"]) for table in tables],
        axis=1,
    )

    def detrended(values):
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    assert np.corrcoef(detrended(learned), detrended(true))[0, 1] > 0.7
    fields = true_fields()
    site = fields.site(places[:, 0], places[:, 1], [5.0])[:, 0]
    assert np.corrcoef(detrended(learned), detrended(site))[0, 1] > 0.5


def test_traces_say_what_made_them(bundled):
    stream = bundled.generate(from_points(4.0, (37.9, -122.1), [(37.8, -122.2)]), seed=7)
    (made_by,) = stream[0].stats.processing
    assert made_by.startswith(f"cgmgm-seis {cgmgm_seis.__version__}: generate(")
    assert f"weights={bundled.weights_name}::sha256={bundled.weights_sha256[:12]}" in made_by
    assert made_by.endswith("seed=7)")
    stream.detrend("demean")
    assert len(stream[0].stats.processing) == 2 and stream[0].stats.processing[0] == made_by


def test_it_is_labelled_and_drawn_by_default(bundled):
    assert bundled.card["trained_on"].startswith("simulated")
    assert (
        "simulated"
        in EvolutionaryCGM.list_pretrained(details=True)["bay_area_evolutionary"].lower()
    )


def test_fourier_amplitudes_of_unseen_events(bundled):
    """ln FAS at 2 to 15 Hz is the simulator's on average: within 0.2.

    24 events with terms of 0.4, drawn four times by both: standard error 0.06.
    """
    table = draw_catalogue(24, seed=11)
    frequencies = (2.0, 5.0, 10.0, 15.0)

    def ln_fas(records):
        return np.log(smoothed_fas(records, 100.0, frequencies)).mean(axis=(0, 1))

    drawn = [bundled.sample(table, seed=k, extrapolate=True)[:, 0] for k in range(4)]
    simulated = [simulate_records(table, 900 + k)[0] for k in range(4)]
    bias = np.mean([ln_fas(x) for x in drawn], axis=0) - np.mean(
        [ln_fas(x) for x in simulated], axis=0
    )
    assert bias == pytest.approx(np.zeros(4), abs=0.2)


@pytest.fixture(scope="module")
def picked(bundled, phasenet):
    """Scenario of loud records, and PhaseNet's picks on records generated in their place."""
    _, table = simulate_catalogue(12, seed=11)
    loud = table[table["trace_snr_db"] > 10.0].reset_index(drop=True)
    return loud, pick(phasenet, bundled.sample(loud, seed=1, extrapolate=True)[:, 0])


@pytest.mark.parametrize("phase", "ps")
def test_phasenet_picks_generated_records(picked, phase):
    """Above 10 dB: at least 90 % of P and S picked."""
    _, found = picked
    assert found[f"{phase}_s"].notna().mean() > 0.9


@pytest.mark.parametrize("phase", ["p", "s"])
def test_picks_are_at_the_true_onsets(picked, phase):
    """The median within 0.03 s."""
    loud, found = picked
    delays = found[f"{phase}_s"] - loud[f"trace_{phase}_arrival_sample"] / 100.0
    assert abs(delays.median()) < 0.03
