"""Records that fill only a part of the window: generated ones are measured within the same part."""

import numpy as np
import pytest
from obspy import Stream, Trace
from parrot import QUICK, RESIDUALS, Parrot, rows
from seisbench.data import WaveformDataset

from cgmgm_seis.evaluation import evaluate, write_evaluation
from cgmgm_seis.evaluation.distributions import filled, valid_cells
from cgmgm_seis.evaluation.measures import ln_measures
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.measures.picks import pick
from cgmgm_seis.scenario.spans import VALID_END

pytestmark = pytest.mark.usefixtures("one_thread", "quick")
END = 3000


@pytest.fixture(scope="module")
def cut(catalogue, records):
    """The data set with every second record of the test split cut at 30 s; its samples stay."""
    dataset = WaveformDataset(catalogue)
    chosen = records[1]["trace_name"].iloc[::2]
    dataset.metadata[VALID_END] = np.where(dataset.metadata["trace_name"].isin(chosen), END, np.nan)
    return dataset


@pytest.fixture(scope="module")
def found(cut, records):
    """An evaluation of the whole records and of others that differ only after 30 s."""
    waveforms, scenario = records
    other = waveforms.copy()
    other[::2, :, END:] *= 7.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cgmgm_seis.evaluation.classifier.STEPS", 5)
        patch.setattr("cgmgm_seis.evaluation.classifier.EPOCHS", 1)
        return evaluate(cut, {"a": Parrot(records), "b": Parrot((other, scenario))}, QUICK)


def test_generated_records_are_cut_like_the_recorded_ones(found):
    for name in ("a", "b"):
        table = rows(found, name)
        assert np.abs(table[["bias", "median_bias", "crps", *RESIDUALS]].to_numpy()).max() < 1e-9
        assert found.metrics["generators"][name]["frechet_distance"] == pytest.approx(0, abs=1e-5)
        np.testing.assert_array_equal(
            found.highlights[name].envelopes, found.highlights[RECORDED].envelopes
        )
    assert np.isfinite(found.highlights["a"].envelopes).all()


def test_measures_are_those_of_the_part(records, found):
    """Peaks before 30 s are kept: a cut without a taper would have the acceleration of a shock."""
    waveforms, _ = records
    shown = found.highlights[RECORDED].waveforms
    (row, part), *_ = [item for item in shown.items() if item[0] % 2 == 0]
    np.testing.assert_array_equal(part[:, : END - 100], waveforms[row][:, : END - 100])
    assert not part[:, END:].any()
    whole, cut = (ln_measures(record[None], "ZNE", 100.0) for record in (waveforms[row], part))
    assert np.isfinite(cut).all()
    assert cut.max() < whole.max() + 0.1


def test_the_report_says_how_many(records, found, tmp_path):
    n_records = len(records[1])
    n_cut = (n_records + 1) // 2
    assert found.metrics["dataset"]["partial"] == n_cut
    said = f"{n_cut} of {n_records} records fill only a part of the window"
    assert said in str(found)
    write_evaluation(tmp_path / "report", found)
    assert said in (tmp_path / "report" / "report.html").read_text()


def test_cells_outside_the_span_are_those_of_the_mean_record():
    spans = np.array([[0, 800], [200, 450], [0, 800]])
    valid = valid_cells(spans, 800, 2, 2 * 8 * 3)
    assert valid.shape == (3, 48)
    assert valid[1].reshape(2, 8, 3)[0, :, 0].tolist() == [False] * 2 + [True] * 2 + [False] * 4
    cells = np.random.default_rng(0).standard_normal((3, 48))
    full = filled(cells + 1.0, valid, cells)
    np.testing.assert_array_equal(full[valid], cells[valid] + 1.0)
    np.testing.assert_allclose(full[1][~valid[1]], cells[[0, 2]].mean(axis=0)[~valid[1]])


class Steps:
    """A picker for which P is at 12 s, and more likely where the records are cut."""

    component_order, sampling_rate, in_samples = "ZNE", 100.0, 3001

    def annotate(self, stream, **_):
        annotations = Stream()
        for trace in stream.select(component="Z"):
            data = np.zeros(trace.stats.npts)
            data[[450, 1200, 3050, 4000]] = 0.9, 0.5, 0.8, 0.95
            header = {"station": trace.stats.station, "channel": "XXP", "sampling_rate": 100.0}
            annotations += Trace(data, header)
        return annotations


def test_there_are_no_picks_at_the_cut_or_outside():
    records = np.random.default_rng(0).standard_normal((3, 3, 6000))
    spans = np.array([[0, 6000], [400, 3100], [1150, 3100]])
    found = pick(Steps(), records, spans=spans)
    assert found["p_s"].tolist()[:2] == [40.0, 12.0]
    assert np.isnan(found["p_s"][2]) and found["p_probability"][2] == 0.0
    assert pick(Steps(), records)["p_s"].tolist() == [40.0] * 3
