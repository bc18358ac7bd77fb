"""Models by name, and fitted models in files: what is read is what was saved, or refused."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.base import ErgodicFAS
from cgmgm_seis.gmm.named import NamedGMM
from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis.gmm.pygmm_models import NGAWest2
from cgmgm_seis.scenario.table import from_points

FREQUENCIES = (2.0, 5.0)


@pytest.fixture(scope="module")
def fitted():
    """A model of 30 events at 6 stations, and its scenario."""
    rng = np.random.default_rng(0)
    stations = list(zip(rng.uniform(37.4, 38.0, 6), rng.uniform(-122.4, -121.9, 6), strict=True))
    events = []
    for number in range(30):
        place = rng.uniform(37.5, 37.9), rng.uniform(-122.3, -122.0)
        table = from_points(rng.uniform(1.5, 4.0), place, stations, rng.uniform(3.0, 12.0))
        events.append(table.assign(source_id=f"e{number}"))
    scenario = pd.concat(events, ignore_index=True)
    mean = [
        ErgodicFAS(f).mean(
            scenario["source_magnitude"],
            scenario["path_hyp_distance_km"],
            scenario["source_depth_km"],
        )
        for f in FREQUENCIES
    ]
    ln_fas = np.column_stack(mean) + 0.4 * rng.standard_normal((len(scenario), 2))
    model = NonErgodicFAS(n_functions=16).fit(scenario, ln_fas, FREQUENCIES)
    model.card = {"component": "N"}
    return model, scenario


def saved(fitted, folder):
    path = folder / "bay.npz"
    fitted[0].save(path)
    return path


def test_a_saved_model_predicts_the_same(fitted, tmp_path):
    model, scenario = fitted
    found = NonErgodicFAS.load(saved(fitted, tmp_path))
    elsewhere = from_points(3.0, (37.7, -122.1), [(37.61, -122.2), (37.8, -121.99)])
    for table in (scenario, elsewhere):
        own, same = model.predict(table), found.predict(table)
        for part in ("mean", "tau", "phi", "sd", "extrapolated"):
            np.testing.assert_array_equal(getattr(own, part), getattr(same, part))
        assert (own.epistemic > 0.0).all()
        np.testing.assert_allclose(own.epistemic**2 + own.tau**2 + own.phi**2, own.sd**2)
    pd.testing.assert_frame_equal(found.hyperparameters, model.hyperparameters)
    assert found.card == {"component": "N"}
    with pytest.raises(CgmgmError, match=r"has not been fitted"):
        NonErgodicFAS().save(tmp_path / "empty.npz")


def changed(path, change):
    """Rewrite a file with its JSON and arrays changed in place."""
    with np.load(path) as file:
        arrays = dict(file)
    content = json.loads(str(arrays["json"]))
    change(content, arrays)
    np.savez(path, **{**arrays, "json": np.array(json.dumps(content))})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content, arrays: content.update(version=9), r"version 9; it must be .* version 1"),
        (lambda content, arrays: content.pop("tau"), r"not a complete model"),
        (lambda content, arrays: content.update(phi=[1.0, -1.0]), r"tau, phi and lengths"),
        (lambda content, arrays: content["priors"][0]["lengths"].pop("site"), r"tau, phi"),
        (lambda content, arrays: content.update(tau=[1.0, np.inf]), r"tau, phi and lengths"),
        (lambda content, arrays: content["arguments"].update(n_functions=8), r"orders must be"),
        (lambda content, arrays: arrays.update(mean=arrays["mean"][:, 1:]), r"mean must be"),
        (lambda content, arrays: arrays["root"].fill(np.nan), r"root must be finite"),
    ],
)
def test_a_file_that_is_not_a_whole_model_is_refused(fitted, tmp_path, change, words):
    path = saved(fitted, tmp_path)
    changed(path, change)
    with pytest.raises(CgmgmError, match=words):
        NonErgodicFAS.load(path)


def test_nothing_in_a_file_is_run(fitted, tmp_path):
    path = saved(fitted, tmp_path)
    changed(path, lambda content, arrays: arrays.update(mean=np.array([{"a": 1}], object)))
    with pytest.raises(CgmgmError, match=r"cannot be read: .* plain arrays and JSON"):
        NonErgodicFAS.load(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CgmgmError, match=r"cannot be read"):
        NonErgodicFAS.load(path)
    with pytest.raises(CgmgmError, match=r"none\.npz cannot be read: No such file"):
        NonErgodicFAS.load(tmp_path / "none.npz")


def test_models_predict_what_they_define(fitted, tmp_path):
    table = from_points(3.7, (37.7, -122.1), [(37.61, -122.2), (37.8, -121.99)], 8.0)
    arguments = (table, "E", (2.0, 3.0, 5.0), (0.3, 99.0))
    labels, told = NamedGMM.of("ergodic").predict(*arguments)
    assert labels == ["fas E 2 Hz", "fas E 5 Hz"] and told.mean.shape == (2, 2)
    assert np.isnan(told.epistemic).all()
    own = NamedGMM.of(f"nonergodic:{saved(fitted, tmp_path)}")
    labels, told = pickle.loads(pickle.dumps(own)).predict(*arguments)
    assert labels == ["fas N 2 Hz", "fas N 5 Hz"] and own.short == "nonergodic bay"
    np.testing.assert_array_equal(told.mean, fitted[0].predict(table).mean)
    assert own.predict(table, "E", (3.0,), ())[1].mean.shape == (2, 0)
    pytest.importorskip("pygmm")
    labels, told = NamedGMM.of("BSSA14").predict(*arguments)
    assert labels == ["pga", "pgv", "psa 0.3 s"]
    np.testing.assert_array_equal(told.mean, NGAWest2("BSSA14", (0.3,)).predict(table).mean)
    labels, told = NamedGMM.of("BA19").predict(table, "E", (2.0, 500.0), ())
    assert labels == ["eas 2 Hz"] and (told.epistemic > 0.0).all()


def test_models_that_are_not_known_are_refused(fitted, tmp_path):
    with pytest.raises(CgmgmError, match=r"'BSSA08' is not known; .* ergodic, nonergodic:FILE"):
        NamedGMM.of("BSSA08")
    with pytest.raises(CgmgmError, match=r"none cannot be read: No such file"):
        NamedGMM.of("nonergodic:none")
    path = saved(fitted, tmp_path)
    own = NamedGMM.of(f"nonergodic:{path}")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CgmgmError, match=r"bay\.npz has changed"):
        NamedGMM(own.name, own.sha256[::-1]).predict(
            from_points(3, (37.7, -122), [(38, -122)]), "E", (2.0,), ()
        )
