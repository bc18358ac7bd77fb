"""The report in a real browser, without a network: no errors, all figures, no wide pages."""

import json
import re
import shutil
import subprocess
from html import escape, unescape

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(BROWSER is None, reason="chromium (Debian's package) is not installed"),
]

# Runs in a copy of the page in a frame, since windows are not narrower than 500 px, and leaves
# what it sees in the page around it.
PROBE = """<script>
addEventListener("load", () => {
  const boxes = [...document.querySelectorAll("h1, h2, p, figcaption, .wide, dl, pre, ul")];
  const images = [...document.images];
  parent.document.body.dataset.seen = JSON.stringify({
    window: innerWidth,
    page: document.documentElement.scrollWidth,
    widest: Math.max(...boxes.map(box => box.getBoundingClientRect().right)),
    figures: document.querySelectorAll("figure").length,
    images: images.length,
    broken: images.filter(image => !image.complete || image.naturalWidth === 0).length,
    narrowest: Math.min(...images.map(image => image.getBoundingClientRect().width)),
    smallest: Math.min(
      ...[...document.querySelectorAll("p, td, th, figcaption")]
        .map(element => parseFloat(getComputedStyle(element).fontSize))),
  });
});
</script>"""


def browse(*arguments):
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    result = subprocess.run(
        [*command, "--host-resolver-rules=MAP * ~NOTFOUND", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout, [line for line in result.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_readable(rendered, tmp_path, width):
    text, images = rendered
    path = tmp_path / "report.html"
    inner = escape(text.replace("</body>", f"{PROBE}</body>"))
    style = f"width:{width}px; height:900px; border:0"
    path.write_text(f'<body><iframe style="{style}" srcdoc="{inner}"></iframe>', encoding="utf-8")
    dom, console = browse("--window-size=1400,1000", "--dump-dom", path.as_uri())
    seen = json.loads(unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))
    assert console == []
    assert seen["window"] == width
    assert seen["page"] <= width and seen["widest"] <= width
    assert seen["figures"] >= 14
    assert (seen["images"], seen["broken"]) == (len(images), 0)
    # Figures keep a size that can be read, and are moved in their frames where there is no room.
    assert seen["narrowest"] >= 600
    assert seen["smallest"] >= 12


def test_console_errors_would_be_seen(tmp_path):
    path = tmp_path / "broken.html"
    path.write_text("<script>nothing()</script><img src=missing.png>")
    _, console = browse("--dump-dom", path.as_uri())
    assert any("nothing is not defined" in line for line in console)


def test_the_page_prints(rendered, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(rendered[0], encoding="utf-8")
    pdf = tmp_path / "report.pdf"
    _, console = browse(f"--print-to-pdf={pdf}", path.as_uri())
    assert console == []
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    # Figures and tables are kept whole: more than a few pages, not one a figure and more.
    assert 4 <= pages <= 20
