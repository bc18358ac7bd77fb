"""Maps from spectra: as those of drawn waveforms, without drawing them."""

from dataclasses import replace

import numpy as np
import pytest

from cgmgm_seis import CGMGM, EvolutionaryCGM, source
from cgmgm_seis.errors import CgmgmError, ScenarioError
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.spectra_job import SpectraJob
from cgmgm_seis.grid.synthesis import draw_tasks

pytestmark = pytest.mark.usefixtures("one_thread", "pyrvt")

REGION = (-122.4, -121.9, 37.4, 38.0)
WEIGHTS = "bay_area_evolutionary"
FREQUENCIES = (0.8, 1.25, 2.0, 5.0, 15.0)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, pyrvt):
    """The same earthquake by both methods: 6 nodes, 120 realizations."""
    model = EvolutionaryCGM.from_pretrained(WEIGHTS)
    measures = Measures("ZNE", 100.0, frequencies=FREQUENCIES, periods=(0.3,))
    folder = tmp_path_factory.mktemp("jobs") / "chunks"
    given = (model, WEIGHTS, source(3.9, 37.861, -122.257, 7.9), grid_nodes(REGION, (2, 3)))
    settings = {"n_realizations": 120, "seed": 1, "folder": folder}
    return [
        GridJob(*given, measures, waveforms=False, **settings),
        SpectraJob(*given, measures, **settings),
    ]


@pytest.fixture(scope="module")
def drawn(jobs):
    """The measures of both jobs, (node, realization, series)."""
    found = []
    for job in jobs:
        draw_tasks(job)
        parts = [values["measures"] for _, _, values in job.results()]
        found.append(np.concatenate(parts).astype(float))
    return found


def spectra(jobs):
    return [label.startswith(("fas", "eas")) for label in jobs[0].labels]


def by_frequency(jobs, values):
    """Return the means (frequency,) of a statistic (series,) over components and EAS."""
    return values[spectra(jobs)].reshape(-1, len(FREQUENCIES)).mean(axis=0)


def test_medians_of_spectra_are_those_of_waveforms(jobs, drawn):
    """Within 0.02 but for the scatter of random phases, 0.01 at 2 Hz."""
    medians = [by_frequency(jobs, np.median(values, axis=1).mean(axis=0)) for values in drawn]
    assert medians[1] == pytest.approx(medians[0], abs=0.03)
    means = [by_frequency(jobs, values.mean(axis=(0, 1))) for values in drawn]
    assert means[1] == pytest.approx(means[0], abs=0.03)


def test_scatter_of_spectra_is_that_of_waveforms(jobs, drawn):
    """Standard deviations over realizations agree within 5 %, from 0.8 Hz on."""
    waveforms, without = (by_frequency(jobs, values.std(axis=1).mean(axis=0)) for values in drawn)
    assert without == pytest.approx(waveforms, rel=0.05)


def test_phases_scatter_as_those_of_waveforms(jobs, drawn):
    """The difference to a waveform of the same latents has twice the variance of random phases."""
    difference = (drawn[1] - drawn[0]).std(axis=1).mean(axis=0)
    by_label = dict(zip(jobs[0].labels, difference, strict=True))
    # Measured with the latents at their mean: 600 waveforms of a node scatter by this.
    assert by_label["fas E 2 Hz"] / np.sqrt(2.0) == pytest.approx(0.23, abs=0.04)
    assert by_label["fas E 15 Hz"] / np.sqrt(2.0) == pytest.approx(0.09, abs=0.02)
    assert by_label["eas 15 Hz"] < by_label["fas E 15 Hz"]


def test_realizations_are_those_of_waveforms(jobs, drawn):
    """They share latents: realizations correlate, at all nodes.

    At low frequencies, random phases take a greater part: at 0.8 Hz a third of the variance.
    """
    for one, other in zip(*drawn, strict=True):
        for series, label in enumerate(jobs[0].labels):
            least = 0.5 if label.endswith((" 0.8 Hz", " 1.25 Hz")) else 0.75
            assert np.corrcoef(one[:, series], other[:, series])[0, 1] > least


def test_peaks_by_random_vibration_theory(jobs, drawn):
    """Medians within 0.09 and standard deviations within 10 % of those of waveforms."""
    peaks = ~np.array(spectra(jobs))
    waveforms, without = (values[:, :, peaks] for values in drawn)
    assert without.mean(axis=(0, 1)) == pytest.approx(waveforms.mean(axis=(0, 1)), abs=0.09)
    sigmas = [values.std(axis=1).mean(axis=0) for values in (without, waveforms)]
    assert sigmas[0] == pytest.approx(sigmas[1], rel=0.1)


def test_values_do_not_depend_on_tasks(jobs, drawn, tmp_path):
    """Tasks of other sizes give the same values to rounding."""
    job = replace(jobs[1], n_realizations=3, task_records=6, folder=tmp_path)
    draw_tasks(job)
    values = np.concatenate([found["measures"] for _, _, found in job.results()])
    np.testing.assert_allclose(values, drawn[1][:, :3], atol=2e-3)


def test_finished_tasks_of_the_methods_are_apart(jobs):
    """A map of one method is not continued with the other."""
    assert jobs[0].chunks.name != jobs[1].chunks.name


def test_what_spectra_do_not_give(jobs):
    """Waveforms, a movie, or a generator without spectra are errors of one sentence."""
    with pytest.raises(ScenarioError, match="draws no waveforms"):
        replace(jobs[1], waveforms=True)
    with pytest.raises(ScenarioError, match="draws no movie"):
        replace(jobs[1], movie=True)
    with pytest.raises(CgmgmError, match=r"CGMGM, weights .*, has no spectra"):
        replace(jobs[1], model=CGMGM())
