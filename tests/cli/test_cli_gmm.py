"""`cgmgm-seis gmm` from the command line: a model is fitted, described, and not overwritten."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cgmgm_seis.gmm.nonergodic import NonErgodicFAS
from cgmgm_seis_cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_a_model_is_fitted_and_described(whole_catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(NonErgodicFAS.__init__, "__defaults__", (("site",), "refitted", 0.5, 16))
    out = tmp_path / "bay.npz"
    result = run("gmm", "fit", whole_catalogue, "--out", out, "--frequencies", "5", "-q")
    assert result.exit_code == 0, result.output
    assert f"{out}: non-ergodic model of FAS, component E, fitted to " in result.output
    model = NonErgodicFAS.load(out)
    assert model.frequencies == (5.0,) and model.card["split"] == "train"
    told = run("gmm", "info", out)
    assert "component E, fitted to" in told.output
    assert f"{model.hyperparameters['phi'].item():.3g}" in told.output
    found = json.loads(run("gmm", "info", out, "--json").output)
    assert found["card"] == model.card
    assert found["hyperparameters"][0]["tau"] == pytest.approx(model.hyperparameters["tau"].item())
    del model.card["dataset"]
    model.save(tmp_path / "part.npz")
    assert "of unknown records" in run("gmm", "info", tmp_path / "part.npz").output
    again = run("gmm", "fit", whole_catalogue, "--out", out)
    assert again.exit_code == 1 and "already exists" in again.output
    np.savez(out, a=np.arange(3))
    bad = run("gmm", "info", out)
    assert bad.exit_code == 1 and "cannot be read" in bad.output
