"""Training in several processes gives the numbers of one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from small_datasets import N_SAMPLES, write_dataset

from cgmgm_seis import CGMGM, EvolutionaryCGM, load_model
from cgmgm_seis.training import TrainingConfig, train

CONFIG = TrainingConfig(epochs=3, batch_size=16, learning_rate=3e-3, device="cpu", seed=1)
pytestmark = pytest.mark.usefixtures("one_thread")


def evolutionary():
    torch.manual_seed(0)
    return EvolutionaryCGM(n_samples=N_SAMPLES, n_latents=4, width=16, n_waves=8)


def cgmgm():
    torch.manual_seed(0)
    return CGMGM(n_samples=N_SAMPLES, latent_size=4, prior_size=4, embedding_size=4, alpha=0.01)


def uneven(event, row, motion):
    """Events of 1 to 4 records in the training split."""
    if int(row["station_code"][1:]) > event % 4:
        row["source_magnitude"] = np.nan


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "synthetic", change=uneven)


@pytest.mark.parametrize("make", [cgmgm, evolutionary])
def test_two_processes_give_the_losses_of_one(make, dataset, tmp_path):
    """Losses and weights to 1e-4: sums in another order, over three epochs of training."""
    name = make().name.lower()
    one = train(make(), dataset, tmp_path / "one", CONFIG, progress=False)
    two = train(make(), dataset, tmp_path / "two", replace(CONFIG, devices=2), progress=False)
    tables = [pd.read_csv(path.parent / "metrics.csv") for path in (one, two)]
    for column in ("train_loss", "dev_loss", "train_divergence", "train_gradient_norm"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-4, err_msg=column)
    cards = [load_model(path).card for path in (one, two)]
    assert [card["processes"] for card in cards] == [1, 2]
    states = [torch.load(path.parent / f"{name}.pt", weights_only=True) for path in (one, two)]
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-3, atol=1e-4, msg=key)
