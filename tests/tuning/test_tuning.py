"""The search for settings: spaces, trials on disk, resuming, failures, and Ray."""

import json
import math
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis import CGMGM, load_model
from cgmgm_seis.errors import CgmgmError, OutputError, TrainingError
from cgmgm_seis.storage.run_lock import run_lock
from cgmgm_seis.training.recipe import Recipe, read_recipe
from cgmgm_seis.tuning import objective
from cgmgm_seis.tuning import search as search_module
from cgmgm_seis.tuning.objective import Attempt, Study
from cgmgm_seis.tuning.on_ray import run_on_ray
from cgmgm_seis.tuning.search import Search, suggest, tune
from cgmgm_seis.tuning.space import SearchSpace, default_space, read_space
from cgmgm_seis.tuning.trials import COMPLETE, FAILED, STOPPED, Trial, TrialsFile, best_trial

pytestmark = pytest.mark.usefixtures("one_thread")
SPACE = SearchSpace("CGMGM", {"learning_rate": {"from": 1e-4, "to": 1e-2}, "n_latents": [2, 4]})
BUNDLED = ("CGMGM", "EvolutionaryCGM")
FIXED = {
    "n_samples": N_SAMPLES,
    "prior_size": 4,
    "embedding_size": 4,
    "epochs": 2,
    "batch_size": 16,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "synthetic")


def a_search(dataset, **given):
    return Search(Study(dataset, device="cpu"), SPACE, FIXED, **given)


def without_time(folder):
    content = json.loads((folder / "trials.json").read_text())
    for trial in content["trials"]:
        trial.pop("seconds")
    return content


# ---- spaces ---------------------------------------------------------------------------------


def test_the_papers_space():
    """Ren et al. (2026) as in the facts of the project; every point can be made and trained."""
    space = default_space("CGMGM")
    assert space.ranges["learning_rate"] == [6e-4, 7e-4, 8e-4]
    assert space.ranges["n_latents"] == [8, 16, 32]
    assert space.ranges["beta"] == [0.01, 0.02, 0.04, 0.05, 0.06, 0.08, 0.1, 0.2]
    assert set(space.ranges) == {
        *("learning_rate", "prior_size", "n_latents", "beta", "weight_decay", "alpha"),
        *("embedding_size", "batch_size"),
    }
    for name in BUNDLED:
        default_space(name).recipe({})


def test_the_prior_is_as_wide_as_the_latents(tmp_path):
    space = SearchSpace("CGMGM", {"prior_size": [16, 32], "n_latents": [8, 32]})
    for n_latents, sizes in ((8, (16, 32)), (32, (32, 32))):
        for prior_size, expected in zip((16, 32), sizes, strict=True):
            recipe = space.recipe({"prior_size": prior_size, "n_latents": n_latents})
            assert recipe.arguments["prior_size"] == expected
    # Two of the four settings are one recipe, which is tried once.
    trials, chosen = TrialsFile(tmp_path, {}), Search(Study("none"), space, {})
    for number in range(3):
        settings = suggest(chosen, trials, number)
        trials.trials.append(Trial(number, settings, COMPLETE, float(number), [1.0]))
    recipes = {tuple(chosen.recipe(trial.settings).arguments.items()) for trial in trials.trials}
    assert len(recipes) == 3


def test_a_file_changes_entries_of_the_space(tmp_path):
    (tmp_path / "space.json").write_text('{"beta": [0.5], "condition_set": ["depth"]}')
    changed = {"beta": [0.5], "condition_set": ["depth"]}
    found = read_space("CGMGM", tmp_path / "space.json").ranges
    assert found == {**default_space("CGMGM").ranges, **changed}


def test_a_published_search_trains_as_published():
    study = Study("none")
    fixed = {"published": True, "component_order": "E"}
    recipe = Search(study, default_space("CGMGM"), fixed).recipe({"learning_rate": 7e-4})
    config = recipe.config()
    assert recipe.arguments["published"] and config.learning_rate == 7e-4
    assert (config.optimizer, config.schedule, config.gradient_clip) == ("adam", "step", 0.0)


def test_settings_are_values_and_not_indices():
    for model in BUNDLED:
        space = default_space(model)
        domain = search_module.Domain(lambda point: point, space.expression())
        (document,) = search_module.hyperopt.rand.suggest(
            [0], domain, search_module.hyperopt.Trials(), 1
        )
        point = {name: values[0] for name, values in document["misc"]["vals"].items()}
        settings = space.settings(point)
        for name, values in space.ranges.items():
            if isinstance(values, list):
                assert settings[name] in values
            else:
                assert values["from"] <= settings[name] <= values["to"]
        assert space.point(settings) == pytest.approx(point)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[", "not a readable JSON"),
        ("[1]", "is not a search space"),
        ('{"speed": [1]}', "'speed' cannot be searched for CGMGM; the names .* condition_set, "),
        ('{"epochs": [1, 2]}', "'epochs' cannot be searched"),
        ('{"beta": []}', "beta = .* must be a list"),
        ('{"beta": {"from": 0, "to": 1}}', "beta = .* must be a list"),
        ('{"n_latents": [8, "many"]}', "n_latents = 'many' must be of type int"),
        ('{"learning_rate": [-1.0]}', "learning_rate = -1.0 must be finite and above 0"),
    ],
)
def test_bad_spaces_are_named(content, text, tmp_path):
    (tmp_path / "space.json").write_text(content)
    with pytest.raises(TrainingError, match=text):
        read_space("CGMGM", tmp_path / "space.json")
    with pytest.raises(TrainingError, match="space is empty"):
        SearchSpace("CGMGM", {})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("x", "not a readable JSON"),
        ('{"model": "CGMGM"}', "is not a recipe"),
        ('{"model": "GAN", "arguments": {}, "training": {}}', "Model 'GAN' must be one of"),
        ('{"model": "CGMGM", "arguments": {"a": 1}, "training": {}}', "'a' must be one of the arg"),
        ('{"model": "CGMGM", "arguments": {}, "training": {"epochs": true}}', "epochs = True"),
        ('{"model": "CGMGM", "arguments": {"ranges": {}}, "training": {}}', "'ranges' must be"),
    ],
)
def test_bad_recipes_are_named(content, text, tmp_path):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(TrainingError, match=text):
        read_recipe(tmp_path / "best.json")


# ---- scores ---------------------------------------------------------------------------------


def test_the_score_is_the_bound_of_a_normal_decoder_with_its_best_variance():
    """Against torch.distributions, minimised over the standard deviation, to 1e-6."""
    model = CGMGM(n_samples=N_SAMPLES, component_order="E", n_latents=2)
    shape = (model.spectrogram.n_frames, model.spectrogram.n_bins)
    error = 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    amplitude = float(error.square().sum())
    nats = [
        -float(torch.distributions.Normal(0.0, sigma).log_prob(error).sum())
        for sigma in np.geomspace(0.08, 0.12, 2001)
    ]
    score = model.score({"loss": 1.0, "amplitude": amplitude, "divergence": 7.0})
    assert score == pytest.approx(min(nats) + 7.0, rel=1e-6)


def test_the_weights_of_the_loss_do_not_change_the_score():
    losses = {"loss": 1.0, "amplitude": 3.0, "divergence": 2.0}
    scores = {CGMGM(beta=beta, alpha=alpha).score(losses) for beta in (0.01, 1) for alpha in (0, 1)}
    assert len(scores) == 1


# ---- searching ------------------------------------------------------------------------------


def test_a_search_gives_trials_figure_recipe_and_weights(dataset, tmp_path):
    weights = tune(a_search(dataset), tmp_path / "s", 7, progress=False)
    table = pd.read_csv(tmp_path / "s" / "trials.csv")
    assert table.trial.tolist() == list(range(7))
    assert set(table.state) <= {COMPLETE, STOPPED}
    assert (table.epochs[table.state == COMPLETE] == 2).all()
    assert (tmp_path / "s" / "trials.png").read_bytes().startswith(b"\x89PNG")
    best = table[table.state == COMPLETE].score.idxmin()
    content = json.loads((tmp_path / "s" / "best.json").read_text())
    assert (content["trial"], content["score"]) == (best, table.score[best])
    recipe = read_recipe(tmp_path / "s" / "best.json")
    assert recipe.arguments["n_latents"] == table.n_latents[best] in (2, 4)
    # Trained with its own settings: the dev loss, and so the score, is the trial's.
    model = load_model(weights)
    assert model.n_latents == table.n_latents[best]
    assert model.score(model.card["metrics"]["dev"]) == pytest.approx(content["score"], rel=1e-6)


def test_a_killed_search_goes_on_as_if_it_had_not_been(dataset, tmp_path, monkeypatch):
    tune(a_search(dataset), tmp_path / "whole", 7, progress=False, retrain=False)
    scores = Attempt.scores
    calls = iter(range(100))

    def killed(attempt):
        if next(calls) == 5:
            raise KeyboardInterrupt
        yield from scores(attempt)

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "scores", killed)
        with pytest.raises(TrainingError, match=r"Interrupted after 5 trials; .* --resume"):
            tune(a_search(dataset), tmp_path / "cut", 7, progress=False, retrain=False)
    assert len(without_time(tmp_path / "cut")["trials"]) == 5
    tune(a_search(dataset), tmp_path / "cut", 7, resume=True, progress=False, retrain=False)
    assert without_time(tmp_path / "cut") == without_time(tmp_path / "whole")
    other = Search(Study(dataset, seed=1, device="cpu"), SPACE, FIXED)
    with pytest.raises(TrainingError, match="has seed = 0, not 1"):
        tune(other, tmp_path / "cut", 8, resume=True, progress=False)
    with pytest.raises(OutputError, match="cut already exists"):
        tune(other, tmp_path / "cut", 8, progress=False)


def test_failures_are_kept_and_do_not_end_the_search(dataset, tmp_path, monkeypatch):
    loss = CGMGM.loss

    def failing(model, batch, generator):
        losses = loss(model, batch, generator)
        return {**losses, "loss": losses["loss"] * math.nan} if model.n_latents == 2 else losses

    monkeypatch.setattr(CGMGM, "loss", failing)
    tune(a_search(dataset), tmp_path / "s", 6, progress=False, retrain=False)
    trials = without_time(tmp_path / "s")["trials"]
    failed = [trial for trial in trials if trial["settings"]["n_latents"] == 2]
    assert failed and all(trial["state"] == FAILED for trial in failed)
    assert all("train_loss became nan" in trial["message"] for trial in failed)
    assert all(trial["score"] is None for trial in failed)
    only = Search(Study(dataset, device="cpu"), SearchSpace("CGMGM", {"n_latents": [2]}), FIXED)
    with pytest.raises(TrainingError, match=r"0 of 2 trials are complete, .* became nan"):
        tune(only, tmp_path / "none", 2, progress=False)


def test_hopeless_trials_are_stopped(tmp_path):
    trials = TrialsFile(tmp_path, {})
    for number, scores in enumerate(([9, 5], [8, 4], [7, 3], [1, 1])):
        assert not trials.is_hopeless([100.0])
        trials.add(Trial(number, {}, COMPLETE, scores[-1], scores))
    trials.add(Trial(4, {}, STOPPED, 0.0, [0.0]))
    assert trials.is_hopeless([7.6]) and not trials.is_hopeless([7.4])
    assert trials.is_hopeless([7.4, 3.6]) and not trials.is_hopeless([7.4, 3.4])


def test_tpe_finds_the_better_half(tmp_path):
    """A known objective, (ln rate)^2: TPE's later trials are nearer than random ones."""
    space = SearchSpace("CGMGM", {"learning_rate": {"from": 0.01, "to": 100}})
    medians = []
    for n_random in (10, 40):
        trials = TrialsFile(tmp_path / str(n_random), {})
        chosen = Search(Study("none"), space, {}, n_random=n_random)
        for number in range(40):
            settings = suggest(chosen, trials, number)
            score = math.log(settings["learning_rate"]) ** 2
            trials.trials.append(Trial(number, settings, COMPLETE, score, [score]))
        medians.append(np.median([trial.score for trial in trials.trials[10:]]))
    assert medians[0] < 0.3 * medians[1], medians


def test_no_choices_are_tried_twice(tmp_path):
    """Fifteen trials are fifteen of the eighteen settings that there are, and a hundred end."""
    space = SearchSpace(
        "CGMGM",
        {"n_latents": [8, 16, 32], "prior_size": [16, 32], "batch_size": [64, 128, 256]},
    )
    trials, chosen = TrialsFile(tmp_path, {}), Search(Study("none", seed=5), space, {})
    for number in range(100):
        settings = suggest(chosen, trials, number)
        score = abs(settings["n_latents"] - 16.0) + settings["prior_size"]
        trials.trials.append(Trial(number, settings, COMPLETE, score, [score]))
    tried = [tuple(trial.settings.values()) for trial in trials.trials]
    assert len(set(tried[:15])) == 15 and len(set(tried)) == 18


def test_the_discriminative_objective_draws_the_dev_events(dataset, monkeypatch):
    monkeypatch.setattr(objective, "N_CLASSIFIERS", 1)
    study = Study(dataset, "discriminative", device="cpu")
    recipe = Recipe("CGMGM", {"n_samples": N_SAMPLES, "n_latents": 2}, {"epochs": 1})
    attempt = Attempt(study, recipe, study.read(recipe))
    assert len(list(attempt.scores())) == 1
    assert 0.0 <= attempt.objective() <= 0.5
    with pytest.raises(TrainingError, match="objective = 'beauty' must be dev or disc"):
        Study(dataset, "beauty")


def test_a_damaged_file_of_trials_is_an_error(tmp_path):
    (tmp_path / "trials.json").write_text('{"search": {}, "trials": [{"number": 1}]}')
    with pytest.raises(TrainingError, match="not a readable file of trials"):
        TrialsFile(tmp_path, {})


# ---- Ray ------------------------------------------------------------------------------------


def workers_of(parent):
    """Return the processes of Ray's trials below a process."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rsplit(")")[-1].split()[1]
            )
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
    found = []
    for pid, name in names.items():
        above = pid
        while above in parents and above != parent:
            above = parents[above]
        if above == parent and name.startswith(b"ray::") and b"ImplicitFunc.train" in name:
            found.append(pid)
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc to find Ray's workers in")
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_of_two")
def test_two_workers_of_ray_and_one_is_killed(dataset, tmp_path):
    killed = []

    def kill_one():
        while not killed and not stop.is_set():
            for pid in workers_of(os.getpid())[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            time.sleep(0.1)

    stop = threading.Event()
    thread = threading.Thread(target=kill_one)
    thread.start()
    try:
        tune(a_search(dataset), tmp_path / "s", 4, progress=False, engine=run_on_ray, retrain=False)
    finally:
        stop.set()
        thread.join()
    assert len(killed) == 1
    trials = without_time(tmp_path / "s")["trials"]
    assert len(trials) == 4
    assert all(trial["state"] in (COMPLETE, STOPPED) for trial in trials)
    # The same settings give the same score in this process.
    study = Study(dataset, device="cpu")
    complete = next(trial for trial in trials if trial["state"] == COMPLETE)
    recipe = a_search(dataset).recipe(complete["settings"])
    attempt = Attempt(study, recipe, study.read(recipe))
    assert list(attempt.scores())[-1] == pytest.approx(complete["score"], rel=1e-5)


def test_the_best_trial_with_some_settings():
    rows = [("a", COMPLETE, 2.0), ("b", COMPLETE, 1.0), ("a", STOPPED, 0.5), ("c", FAILED, None)]
    trials = [Trial(n, {"set": name}, state, score) for n, (name, state, score) in enumerate(rows)]
    assert best_trial(trials).number == 1
    assert best_trial(trials, set="a").number == 0
    assert best_trial(trials, set="c").number == 1
    with pytest.raises(TrainingError, match="0 of 1 trials are complete"):
        best_trial(trials[2:3])


def test_an_absent_device_or_a_search_of_another_leaves_nothing(tmp_path):
    """Said before the data are read: otherwise every trial would fail on its own."""
    out = tmp_path / "search"
    with pytest.raises(CgmgmError, match="Device 'warp' is not available"):
        tune(Search(Study("none", device="warp"), SPACE, FIXED), out)
    with run_lock(out), pytest.raises(OutputError, match=r"search is being written by process"):
        tune(a_search("none"), out)
    assert list(tmp_path.iterdir()) == []
