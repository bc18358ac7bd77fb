"""Cards of weights are sentences and lines, without JSON."""

from xml.etree import ElementTree

from cgmgm_seis import CGMGM
from cgmgm_seis.models.weights import weights_info
from cgmgm_seis.models.weights_card import card_html, card_sections, card_text, description

CARD = {
    "trained_on": "simulated records",
    "component_order": "ZNE",
    "ranges": {"source_magnitude": [1.0, 5.0]},
    "best_dev_loss": 2607.68408203125,
    "data": {"records": {"train": 384, "dev": 48}, "magnitude_types": {}, "note": None},
    "training": {"bf16": False, "units": "", "fractions": [0.8, 0.1]},
    "test_split": {"bias": {"Z": [0.1, 0.2], "N": [0.3]}},
}


def test_values_read_as_text():
    assert card_sections({"card": CARD}) == {
        "Card": {"trained on": "simulated records", "best dev loss": "2607.7"},
        "Data": {"records": "train 384, dev 48"},
        "Training": {"bf16": "no", "fractions": "0.8, 0.1"},
        "Test split": {"bias": "Z 0.1, 0.2; N 0.3"},
    }


def test_weights_without_a_description_get_one():
    info = {"docstring": "", "model": "CGMGM", "card": CARD, "ranges": CARD["ranges"]}
    expected = "CGMGM, trained on simulated records, components Z N E, magnitudes 1 to 5."
    assert description(info) == expected
    assert description(info | {"docstring": " Mine. "}) == "Mine."
    assert description(info | {"card": {}, "ranges": {}}) == "CGMGM, untrained."


def test_no_card_shows_json(tiny_weights):
    for name in ("bay_area", "bay_area_evolutionary", tiny_weights):
        text = card_text(weights_info(name))
        assert not {"{", "}", "[", '"'} & set(text)
        assert "\nTrained ranges:\n" in text and "\nFiles:\n" in text


def test_notebooks_show_the_card(tiny_model):
    page = ElementTree.fromstring(tiny_model._repr_html_())
    text = " ".join(page.itertext())
    assert text.startswith("tiny  (CGMGM, version 1)") and "Untrained." in text
    assert [part.text for part in page.iter("summary")] == ["Trained ranges", "Card"]
    cells = [cell.text for cell in page.iter("td")]
    assert "1 to 5" in cells
    assert {"nothing: simulated", "Z N E, 100 Hz", tiny_model.citation} <= set(cells)
    untrained = CGMGM()._repr_html_()
    assert "untrained" in untrained and "version" not in untrained


def test_html_shows_texts_of_the_weights_as_text():
    bad = "<script>alert(1)</script>"
    info = {"name": bad, "model": bad, "version": bad, "docstring": bad, "ranges": {}}
    page = card_html(info | {"card": {"trained_on": bad, bad: {bad: bad}}})
    assert "<script" not in page and page.count("&lt;script") >= 6
