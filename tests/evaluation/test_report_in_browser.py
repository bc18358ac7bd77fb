"""The report in a real browser, without a network: no errors, all figures, no wide pages."""

import copy
import re
from base64 import b64decode
from dataclasses import replace

import pytest

from cgmgm_seis.evaluation.report import render

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("one_thread")]

# Right edges of what is not in a box of its own, sizes of images and the smallest text.
SEEN = """(() => {
  const boxes = [...document.querySelectorAll("h1, h2, p, li, dt, dd, figcaption, .wide, pre")];
  const images = [...document.images];
  const texts = [...document.querySelectorAll("p, td, th, figcaption")];
  return {
    widest: Math.max(...boxes.map((box) => box.getBoundingClientRect().right)),
    figures: document.querySelectorAll("figure").length,
    images: images.length,
    broken: images.filter((image) => !image.complete || image.naturalWidth === 0).length,
    narrowest: Math.min(...images.map((image) => image.getBoundingClientRect().width)),
    smallest: Math.min(...texts.map((text) => parseFloat(getComputedStyle(text).fontSize))),
  };
})()"""


@pytest.fixture
def address(rendered, tmp_path):
    """The address of a report."""
    (tmp_path / "report.html").write_text(rendered[0], encoding="utf-8")
    return (tmp_path / "report.html").as_uri()


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_readable(browser_page, address, rendered, width):
    browser_page.open(address, width)
    seen = browser_page.run(SEEN)
    assert browser_page.problems == []
    assert browser_page.overflow() == 0 and seen["widest"] <= width
    assert seen["figures"] >= 14
    assert (seen["images"], seen["broken"]) == (len(rendered[1]), 0)
    # Figures keep a size that can be read, and are moved in their frames where there is no room.
    assert seen["narrowest"] >= 600
    assert seen["smallest"] >= 12


def test_long_words_do_not_widen_the_page(browser_page, found, tmp_path):
    metrics = copy.deepcopy(found.metrics)
    word = "seisbench.models.PhaseNet.from_pretrained/" * 4
    metrics["dataset"]["name"] = word
    metrics["not_available"][word] = word
    evaluation = replace(found, metrics=metrics, tables={}, highlights={}, chosen=None)
    page, _ = render(evaluation, ["cgmgm-seis", word])
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    browser_page.open((tmp_path / "report.html").as_uri(), 400)
    assert browser_page.overflow() == 0


def test_console_errors_would_be_seen(browser_page, tmp_path):
    path = tmp_path / "broken.html"
    path.write_text("<script>nothing()</script><img src=missing.png>")
    browser_page.open(path.as_uri())
    assert any("nothing is not defined" in text for text in browser_page.problems)
    assert any("missing.png" in text for text in browser_page.problems)


def test_the_page_prints(browser_page, address):
    browser_page.open(address)
    pdf = b64decode(browser_page.send("Page.printToPDF")["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    # Figures and tables are kept whole: more than a few pages, not one a figure and more.
    assert 4 <= pages <= 20
