"""The report: one file, everything explained, what is missing said, figures of the right data."""

import json
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis.errors import OutputError
from cgmgm_seis.evaluation.contents import Item, sections
from cgmgm_seis.evaluation.distribution_plots import plot_pit
from cgmgm_seis.evaluation.figures import colours, new_panels, zero_line
from cgmgm_seis.evaluation.maps import plot_maps
from cgmgm_seis.evaluation.report import render, write_evaluation
from cgmgm_seis.evaluation.residual_plots import (
    plot_intensity_measures,
    plot_scatter_by_bin,
    plot_spectral_residuals,
)
from cgmgm_seis.evaluation.tables import SIMULATOR
from cgmgm_seis.scenario.coastlines import plot_coastlines

pytestmark = pytest.mark.usefixtures("one_thread")


class Page(HTMLParser):
    """Collects what would be fetched, the figures and the tags that are open."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.captions, self.figures, self.open = [], 0, 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.sources += [values[key] for key in ("src", "href") if key in values]
        self.figures += tag == "figure"
        self.captions += tag == "figcaption"
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_no_other_file(rendered):
    text, images = rendered
    page = Page(text)
    assert page.open == []
    assert all(source.startswith("data:") for source in page.sources)
    assert not re.search(r"https?://|<script|@import|url\(", text)
    assert page.captions == page.figures >= 14
    embedded = [s.split(",")[1] for s in page.sources if s.startswith("data:image")]
    assert [b64decode(data) for data in embedded] == list(images.values())
    assert all(image.startswith(b"\x89PNG") for image in images.values())


def test_every_item_has_a_sentence_and_a_name_of_its_own(found):
    items = [item for _, own in sections(found) for item in own]
    assert all(len(item.sentence) > 60 and item.sentence.endswith(".") for item in items)
    names = [item.name for item in items]
    assert len(set(names)) == len(names)
    assert {"spectral_residuals", "pit", "maps", "sections", "envelopes", "panels_0"} <= set(names)


def test_names_are_escaped_and_training_data_named(rendered):
    text, _ = rendered
    assert "&lt;loud&gt;" in text
    assert "<loud>" not in text
    assert "unknown: the weights have no card" in text
    assert "The data set is simulated" in text


def test_what_is_missing_is_said(found):
    bare = type(found)(
        {**found.metrics, "not_available": {"picks": "no <weights>"}}, {}, found.scenario
    )
    text, images = render(bare)
    assert "<b>picks</b>: not available: no &lt;weights&gt;" in text
    assert images == {}


def test_figures_of_one_dot_are_left_out_and_named(found, monkeypatch):
    def figure(count):
        drawn, panels = new_panels(1, 2, (4.0, 2.0))
        for axes in panels[0]:
            zero_line(axes)
            plot_coastlines(axes)
            image = axes.scatter(range(count), range(count), c=range(count))
            axes.errorbar(range(count), range(count), yerr=0.3, fmt="s")
        drawn.colorbar(image, ax=axes)
        return drawn

    def items(_):
        yield "Maps", [Item(f"of_{n}", figure(n), "A sentence.") for n in (1, 2)]

    monkeypatch.setattr("cgmgm_seis.evaluation.report.sections", items)
    text, images = render(found)
    assert list(images) == ["of_2"] and Page(text).figures == 1
    assert "every panel would have one dot at most: of 1.</p>" in text


def test_the_folder_holds_everything(found, rendered, tmp_path, monkeypatch):
    monkeypatch.setattr("cgmgm_seis.evaluation.report.render", lambda *args: rendered)
    folder = tmp_path / "report"
    written = write_evaluation(folder, found, ["cgmgm-seis", "evaluate"])
    tables = [f"{name}.csv" for name in found.tables]
    names = ["metrics.json", "provenance.json", "report.html", "figures", *tables]
    assert sorted(path.name for path, _ in written) == sorted(names)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert json.loads((folder / "metrics.json").read_text()) == found.metrics
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(
            pd.read_csv(folder / f"{name}.csv", dtype={"station_code": str}),
            table,
            check_dtype=False,
        )
    made_by = json.loads((folder / "provenance.json").read_text())
    assert made_by["command"] == ["cgmgm-seis", "evaluate"]
    with pytest.raises(OutputError, match="already exists"):
        write_evaluation(folder, found)


# ---- figures -------------------------------------------------------------------------------


def test_spectral_lines_are_those_of_the_table(found):
    table = found.tables["measures"]
    bias, sigma, tau, _ = plot_spectral_residuals(table).axes
    own = table[(table["generator"] == "<loud>") & table["measure"].str.startswith("EAS ")]
    drawn = {line.get_label(): line for line in bias.lines}["<loud>"]
    np.testing.assert_array_equal(drawn.get_xdata(), [0.5, 2.0, 5.0, 10.0, 15.0])
    np.testing.assert_array_equal(drawn.get_ydata(), own["median_bias"])
    np.testing.assert_array_equal(sigma.lines[0].get_ydata(), own["sigma"])
    styles = [line.get_linestyle() for line in tau.lines[:2]]
    assert styles == ["-", "--"]
    np.testing.assert_array_equal(tau.lines[1].get_ydata(), own["tau_generated"])


def test_no_line_leaves_its_panel(found):
    bins = found.tables["bins"]
    louder = bins.assign(tau=bins["tau"] + 2.0 * (bins["by"] == "magnitude"))
    for axes in plot_scatter_by_bin(louder).axes:
        for line in axes.lines:
            drawn = line.get_ydata()[np.isfinite(line.get_ydata())]
            assert (drawn <= axes.get_ylim()[1]).all() and axes.get_ylim()[0] == 0.0


def test_vertical_and_horizontal_measures_are_shown(found):
    (axes,) = plot_intensity_measures(found.tables["measures"]).axes
    shown = [label.get_text().split()[0] for label in axes.get_yticklabels()]
    assert list(dict.fromkeys(shown)) == ["Z", "E", "H"]


def test_maps_show_the_coast_below_the_symbols(found):
    for axes in plot_maps(found.tables["places"]).axes[:2]:
        symbols, coast = axes.collections
        assert coast.get_zorder() < symbols.get_zorder()
        assert len(symbols.get_offsets()) > 3


@pytest.mark.parametrize("share", [0.2, 1.0, 3.0])
def test_maps_of_any_shape_are_in_the_middle(found, share):
    places = found.tables["places"]
    longitude = -122.0 + share * (places["longitude_deg"] + 122.0)
    figure = plot_maps(places.assign(longitude_deg=longitude))
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    left, right = drawn.x0, figure.get_figwidth() - drawn.x1
    assert min(left, right) > 0.0
    assert left == pytest.approx(right, abs=0.15)  # inches


def test_pit_histograms_are_densities(found):
    for axes in plot_pit(found.tables["pit"]).axes:
        values, edges, _ = axes.patches[0].get_data()
        assert (values * np.diff(edges)).sum() == pytest.approx(1.0)


def test_a_generator_keeps_its_colour():
    palette = colours(["a", SIMULATOR, "b", "recorded"])
    assert len(set(palette.values())) == 4
    assert colours(["recorded", "a", "b"])["b"] == palette["b"]
