"""One chosen record in the report: which it is, its draws, and what encoding leaves of it."""

import numpy as np
import pytest
from parrot import WINDOW

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.evaluation.chosen_record import ChosenRecord, draw_record, row_of_record
from cgmgm_seis.evaluation.contents import sections
from cgmgm_seis.evaluation.draws import model_draw
from cgmgm_seis.evaluation.record_plots import plot_draws, plot_reconstructions
from cgmgm_seis.evaluation.tables import Evaluation
from cgmgm_seis.models.weights import load_model

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")


@pytest.fixture(scope="module")
def models():
    """The bundled weights of both generators."""
    return {name: load_model(name, "cpu") for name in ("bay_area_evolutionary", "bay_area")}


@pytest.fixture(scope="module")
def loudest(records):
    """The record of the largest earthquake at the nearest station."""
    _, scenario = records
    return int(
        (3.0 * scenario["source_magnitude"] - scenario["path_hyp_distance_km"] / 30).argmax()
    )


def test_a_record_is_named_by_event_and_station(records):
    _, scenario = records
    row = scenario.iloc[2]
    for station in (row["station_code"], f"{row['station_network_code']}.{row['station_code']}"):
        assert row_of_record(scenario, f"{row['source_id']}/{station}") == 2
    with pytest.raises(CgmgmError, match=r"'x/Y' is not among .* event 'x' there: none\."):
        row_of_record(scenario, "x/Y")
    twice = scenario.iloc[[2, 2]].assign(station_network_code=["AA", "BB"])
    with pytest.raises(CgmgmError, match=r"is not unique; it may be .*/AA\..*/BB\."):
        row_of_record(twice, f"{row['source_id']}/{row['station_code']}")


@pytest.fixture(scope="module")
def chosen(models, records, loudest):
    waveforms, scenario = records
    draws = {name: model_draw(model, WINDOW) for name, model in models.items()}
    return draw_record(loudest, waveforms, scenario, WINDOW, draws, models, n_draws=2, seed=4)


def test_draws_are_the_realizations_that_are_compared(chosen, models, records, loudest):
    """Whatever the other records are."""
    waveforms, scenario = records
    part = scenario.iloc[[0, loudest]].reset_index(drop=True)
    whole = model_draw(models["bay_area_evolutionary"], WINDOW)(part, 2, 4)[1]
    own = chosen.draws["bay_area_evolutionary"]
    np.testing.assert_allclose(own, whole, atol=1e-4 * np.abs(whole).max())
    np.testing.assert_array_equal(chosen.recorded, waveforms[loudest])


@pytest.mark.parametrize("name", ["bay_area_evolutionary", "bay_area"])
def test_encoding_keeps_level_and_arrivals(chosen, name):
    found = chosen.reconstructions[name]
    assert found.recorded.shape == found.reconstructed.shape
    assert found.recorded.shape[1:] == (3, len(found.frequencies), len(found.times))
    below = found.frequencies < 25.0
    recorded, same = found.recorded[0][:, below], found.reconstructed[0][:, below]
    # A single coefficient of noise scatters by 0.64 about its level, which explains the rest.
    rest = (recorded - same)[np.isfinite(recorded)]
    assert rest.std() < 0.85 < 0.7 * np.nanstd(recorded)
    by_frame = [np.nanmean(x, axis=(0, 1)) for x in (recorded, same)]
    assert np.corrcoef(*by_frame)[0, 1] > 0.97


def test_frames_outside_the_span_are_not_numbers(models, records, loudest):
    waveforms, scenario = records
    table = scenario.iloc[[loudest]].assign(trace_valid_start_sample=0, trace_valid_end_sample=3000)
    cut = waveforms[[loudest]] * (np.arange(waveforms.shape[-1]) < 3000)
    for model in models.values():
        found = model.reconstruct(cut.astype(np.float32), table)
        late = found.times > WINDOW.start_offset_s + 31.0
        assert np.isnan(found.recorded[..., late]).all()
        assert np.isfinite(found.reconstructed[..., found.times < 20.0]).all()


def test_a_model_without_the_records_components_is_named(models, records, caplog):
    waveforms, scenario = records
    found = draw_record(
        *(0, waveforms[:, 2:], scenario, WINDOW.part([2], slice(None)), {}, models),
        n_draws=1,
        seed=0,
    )
    assert not found.reconstructions
    assert "No reconstruction by bay_area: it needs components ZNE, the records have E" in (
        caplog.text
    )


def test_the_report_shows_it(chosen, records, found):
    figure = plot_draws(chosen, records[1], WINDOW)
    assert [axes.get_title() for axes in figure.axes] == ["Vertical", "North", "East"]
    assert len(figure.axes[0].lines) == 5
    panels = plot_reconstructions(chosen.reconstructions, WINDOW).axes
    assert sum(bool(axes.collections) for axes in panels) >= 12
    shown = Evaluation(
        found.metrics,
        found.tables,
        found.scenario,
        found.highlights,
        ChosenRecord(0, chosen.recorded, chosen.draws, chosen.reconstructions),
    )
    items = {item.name: item.sentence for item in dict(sections(shown))["Waveforms"]}
    assert str(found.scenario["source_id"].iloc[0]) in items["record_draws"]
    assert "record_reconstructions" in items
    assert "record_draws" not in {item.name for item in dict(sections(found))["Waveforms"]}
