"""Amplitudes linearised about the median against importance weights, one station left out.

    python tests/benchmarks/bench_importance.py [--weights NAME] [--events 6] [-n 30]

Recorded amplitudes of NGA-West2 are given, as in bench_conditioning.py.  Importance weights:
latents of a record are drawn about their linearised posterior, in the directions that the
amplitudes determine, and from the prior in the others; records are computed with the random numbers
of the linearisation, and weighted by prior and likelihood over the density of the draw.  The
weighted mean and covariance are the evidence of the record.  Printed at the end are the effective
share of the draws, and the share if all stations of an event were weighted at once.
"""

import argparse
from functools import partial

import numpy as np
import torch
from bench_conditioning import Records, nga_west2_amplitudes

from cgmgm_seis import load_model
from cgmgm_seis.models.evolutionary.conditioning import Evidence
from cgmgm_seis.models.evolutionary.evidence import N_DERIVED, amplitude_noise, of_amplitudes
from cgmgm_seis.scenario.seeding import record_keys

N_DRAWN = 64
WIDER = 1.3  # of the draws than of the linearised posterior, standard deviations


@torch.no_grad()
def importance_evidence(model, values, scenario, measures, shares, rng):
    """Return the evidence of amplitudes by importance weights, and append the shares of draws."""
    free = model.given(None)
    expected, drawn, slopes = free._responses(scenario, measures)
    precision, weighted = of_amplitudes(values, expected, drawn, slopes)
    noise = amplitude_noise(drawn)
    conditions, keys = free.conditions(scenario), record_keys(scenario)
    prior = np.sqrt(1.0 + free.effects.standardisation()[1].double().numpy())
    together = np.zeros(N_DRAWN)
    for row, value in enumerate(values):
        known = np.isfinite(value)
        if not known.any():
            continue
        # Directions of latents, in units of the prior, that the amplitudes determine.
        found, vectors = np.linalg.eigh(prior[:, None] * precision[row] * prior)
        informed = found > 1e-6 * found[-1]
        directions, gain = vectors[:, informed], found[informed]
        middle = (directions.T @ (prior * weighted[row])) / (1.0 + gain)
        spread = WIDER / np.sqrt(1.0 + gain)
        normal = rng.standard_normal((N_DRAWN, len(prior)))
        along = middle + spread * rng.standard_normal((N_DRAWN, len(gain)))
        latents = prior * (normal + (along - normal @ directions) @ directions.T)
        draws = np.arange(N_DRAWN) % N_DERIVED
        stepped = free._measured(
            {name: x[row : row + 1] for name, x in conditions.items()},
            *(keys[row], torch.as_tensor(latents), draws.tolist(), measures),
        )
        change = stepped - drawn[row, draws]
        left = (value - drawn[row].mean(axis=0) - change)[:, known]
        misfit = np.einsum("di,ij,dj->d", left, np.linalg.inv(noise[np.ix_(known, known)]), left)
        proposal = (((along - middle) / spread) ** 2).sum(axis=1)
        logarithm = 0.5 * (proposal - misfit - (along**2).sum(axis=1))
        together += logarithm
        weights = normalised(logarithm)
        shares[0].append(1.0 / (weights**2).sum() / N_DRAWN)
        mean = weights @ along
        covariance = (weights * (along - mean).T) @ (along - mean)
        inverse = np.linalg.inv(covariance)
        # Less the prior; draws cannot say less than nothing.
        size, axes = np.linalg.eigh(inverse - np.eye(len(gain)))
        size = np.maximum(size, 0.0)
        root = directions / prior[:, None]
        precision[row] = root @ (axes * size) @ axes.T @ root.T
        observed = axes @ (np.where(size > 0.0, axes.T @ inverse @ mean, 0.0))
        weighted[row] = root @ observed
    shares[1].append(1.0 / (normalised(together) ** 2).sum() / N_DRAWN)
    return Evidence.of(scenario, precision, weighted)


def normalised(logarithm):
    """Return weights whose sum is 1."""
    weights = np.exp(logarithm - logarithm.max())
    return weights / weights.sum()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="bay_area_evolutionary")
    parser.add_argument("--events", type=int, default=6)
    parser.add_argument("-n", type=int, default=30, help="realizations")
    parser.add_argument("--left-out", type=int, default=20, help="stations of an event")
    arguments = parser.parse_args()
    model = load_model(arguments.weights)
    scenario, recorded, measures, names = nga_west2_amplitudes(model, arguments.events)
    records = Records(model, scenario, recorded, measures, names, arguments.n, arguments.left_out)
    shares, rng = ([], []), np.random.default_rng(1)
    records.table(
        "Linearised about the median",
        lambda rows, own: model.evidence(recorded[rows], own, measures, extrapolate=True),
    )
    weigh = partial(importance_evidence, model, measures=measures, shares=shares, rng=rng)
    records.table("Importance weights", lambda rows, own: weigh(recorded[rows], own))
    print("effective share of the draws, one record and all of an event:", *map(np.mean, shares))
