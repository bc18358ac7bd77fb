"""Train EvolutionaryCGM with another seed, and compare it with the bundled weights.

    python docs/compare_seeds.py WORK SHARED [SEED]

WORK and SHARED as for `make_evolutionary_weights.py`, whose recipe this repeats with SEED, by
default 2, for initial weights, order and noise.  Compares the result with the bundled weights:
losses, and medians and standard deviations of measures at the test split's records.  An
interrupted run continues; half an hour on one core.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from make_evolutionary_weights import NAME, trained

from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.measures.intensity import pgv
from cgmgm_seis.measures.response_spectra import rotd50_psa
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.weights import load_model

RECORDS, DRAWS = 400, 20
PERIODS_S = (0.05, 0.1, 0.3, 1.0, 2.0)


def main(work: Path, seed: int) -> None:
    """Train, and print how far the weights differ from the bundled ones."""
    first, second = load_model(NAME), trained(work, seed)
    for name, model in (("bundled", first), (f"seed {seed}", second)):
        losses = {split: found["loss"] for split, found in model.card["metrics"].items()}
        print(name, {split: round(loss, 3) for split, loss in losses.items()})
    _, scenario = read_records(work / "catalogue", first.window)
    scenario = scenario[scenario["split"] == "test"].iloc[:RECORDS].reset_index(drop=True)
    one, other = (measured(model, scenario) for model in (first, second))
    medians = np.median(other, axis=1) - np.median(one, axis=1)
    # What the number of draws alone makes of the difference of two medians of normal values.
    drawn = np.sqrt(np.pi / 2.0 / DRAWS * (one.var(axis=1) + other.var(axis=1)).mean(axis=0))
    table = pd.DataFrame(
        {
            "mean difference of ln medians": medians.mean(axis=0),
            "its standard deviation": medians.std(axis=0),
            "of which the draws": drawn,
            "ratio of standard deviations": other.std(axis=1).mean(axis=0)
            / one.std(axis=1).mean(axis=0),
        },
        index=["PGV", *(f"PSA {period:g} s" for period in PERIODS_S)],
    )
    print(table.round(3).to_string())


def measured(model: GroundMotionModel, scenario: pd.DataFrame) -> np.ndarray:
    """Return ln measures (record, draw, measure) of the horizontal components."""
    found = []
    for rows in np.array_split(np.arange(len(scenario)), 20):
        waveforms = model.sample(scenario.iloc[rows], DRAWS, seed=0, extrapolate=True)[:, :, 1:]
        psa = rotd50_psa(waveforms, model.sampling_rate, PERIODS_S)
        found.append(np.concatenate([pgv(waveforms).mean(axis=-1)[..., None], psa], axis=-1))
    return np.log(np.concatenate(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 2)
