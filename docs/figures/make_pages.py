"""Take the pictures of map.html and of the page of `cgmgm-seis serve`, with Chromium.

python docs/figures/make_pages.py
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from cgmgm_seis.serve.application import application, load_models
from cgmgm_seis.serve.server import serving
from cgmgm_seis_cli.main import main as cgmgm_seis

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))
from browser import Page, browsing  # noqa: E402

GRID = (
    "grid -q --mag 4.4 --src 37.861,-122.257 --depth 7.9 --region -122.6,-121.7,37.3,38.1 "
    "--shape 32x32 -n 4 --measures pga,pgv --write html --out"
)


def save(page: Page, name: str) -> None:
    """Write a picture of a page with 128 colours, which keeps it small."""
    picture = Image.open(io.BytesIO(page.picture())).convert("RGB")
    few = picture.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(HERE / name, optimize=True)


def main() -> None:
    """Write both pictures beside this file."""
    with browsing() as page, tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        cgmgm_seis([*GRID.split(), out], standalone_mode=False)
        page.open(Path(f"{out}/map.html").as_uri(), 900, 800)
        page.move(560, 420)
        save(page, "map_html.png")
        with serving(application(load_models(["bay_area_evolutionary"]))) as url:
            page.open(url, 1100, 900)
            page.run("for (const s of known) s.chosen = withinReach(s) && s.network === 'BK', 0")
            page.run("drawStations()")
            page.click_on("#generate")
            page.wait("document.getElementById('status').innerText.startsWith('Done')", 300)
            page.run("document.getElementById('section').decode().then(() => scrollTo(0, 0))")
            save(page, "serve_page.png")


if __name__ == "__main__":
    main()
