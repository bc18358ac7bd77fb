"""A model that gives every record back, and settings of evaluations that are quick."""

import numpy as np
import torch

from cgmgm_seis.evaluation import EvaluationConfig
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis.scenario.window import Window

WINDOW = Window("ZNE", sampling_rate=100.0, start_offset_s=-5.0, n_samples=6000)
RESIDUALS = ["sigma", "tau_recorded", "phi_recorded", "tau_generated", "phi_generated"]
# A parrot knows the records alone, and no scenarios of other magnitudes and distances.
QUICK = EvaluationConfig(
    n_realizations=3,
    n_classifiers=0,
    picker="/nowhere/picker",
    gmms=False,
    scaling=False,
    workers=1,
)


class Parrot(CGMGM):
    """Gives every record back: times a factor, and late by some samples."""

    def __init__(self, records, factor=1.0, delay=0):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # chunks know a model by its parameters
            super().__init__()
        waveforms, scenario = records
        self.records = dict(zip(scenario["trace_name"], waveforms, strict=True))
        self.factor, self.delay = factor, delay
        self.asked = []

    def sample(self, scenario, n_realizations=1, seed=0, *args, **kwargs):
        self.asked.append(len(scenario))
        found = np.stack([self.records[name] for name in scenario["trace_name"]])
        found = self.factor * np.roll(found, self.delay, axis=-1)
        return np.repeat(found[:, None], n_realizations, axis=1).astype(np.float32)


def rows(found, name):
    """Return the measures of a generator by component and measure."""
    table = found.tables["measures"]
    return table[table["generator"] == name].set_index(["component", "measure"])
