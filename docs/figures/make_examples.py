"""Draw the pictures of the pages from what the commands of the pages write.

    python docs/figures/make_examples.py [PAGE ..]

Runs the quickstart, the tutorial and the page on pickers as they are written, and the commands
below for the others, in a temporary folder.  All of them take some ten minutes on one core.  The
figures are written beside this script, small.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MOST_BYTES = 150_000

# Of the picture of a page, the file that its commands write; of the others also the commands.
PICTURES = {
    "quickstart": {
        "quickstart_records": "cgmgm-output/record_section.png",
        "quickstart_observed": "compare/generated_and_observed.png",
    },
    "tutorial": {
        "tutorial_data_set": "kermadec.png",
        "tutorial_sections": "report/figures/sections.png",
        "tutorial_map": "map/map_peaks.png",
    },
    "pickers": {"pickers": "picker.png"},
    "grid": {"grid_peaks": "scenario/map_peaks.png"},
    "grid_models": {"grid_models": "comparison/models_fas.png"},
    "training": {"training": "training.png"},
}
# Share of a picture at its top that is left out: text that is printed, too, with a path.
LEFT_OUT = {"tutorial_data_set": 0.24}
COMMANDS = {
    "grid": [
        "grid -q --mag 3.9 --src 37.861,-122.257 --depth 7.9 --region -122.5,-121.8,37.27,38.07 "
        "--shape 30x30 -n 10 --measures pga,pgv,psa --out scenario",
    ],
    "grid_models": [
        "dataset simulate -q --events 100 --seed 1 --out catalogue",
        "gmm fit catalogue --out simulated.npz",
        "grid -q --mag 3.9 --src 37.861,-122.257 --depth 7.9 --region -122.5,-121.8,37.27,38.07 "
        "--shape 14x14 -n 6 --measures fas --weights bay_area_evolutionary --weights bay_area "
        "--gmm ergodic --gmm nonergodic:simulated.npz --out comparison",
    ],
    "training": [
        "dataset simulate -q --events 100 --seed 1 --out data",
        "train data -q --epochs 20 --device cpu --out run",
    ],
}
# Runs after the code of the page on pickers, with its names.
DRAW_PICKER = """
import matplotlib.pyplot as plt

record = data.get_waveforms(10).astype(np.float32)
row = data.metadata.iloc[10]
first = int(row["trace_p_arrival_sample"]) - 500
window = record[:, first : first + 3001]
window = (window - window.mean(axis=1, keepdims=True)) / np.abs(window).max()
picker.eval()
with torch.no_grad():
    p, s, _ = picker(torch.tensor(window)[None]).numpy()[0]
time = np.arange(3001) / 100.0
figure, (left, top, bottom) = plt.subplots(3, 1, figsize=(9, 6.5), layout="constrained")
left.plot(losses, linewidth=0.8)
left.set(xlabel="Batch", ylabel="Loss", yscale="log")
top.plot(time, window[0], "k", linewidth=0.5)
for name, colour in (("p", "C0"), ("s", "C1")):
    onset = (row[f"trace_{name}_arrival_sample"] - first) / 100.0
    top.axvline(onset, color=colour, label=f"{name.upper()} of the generator")
top.set(ylabel="Z, generated", xlim=(0, 30))
top.legend()
bottom.plot(time, p, "C0", label="P of the picker")
bottom.plot(time, s, "C1", label="S of the picker")
bottom.set(xlabel="Time (s)", ylabel="Probability", xlim=(0, 30))
bottom.legend()
figure.savefig("picker.png", dpi=100)
"""


def main(pages: list[str]) -> None:
    """Draw the pictures of the named pages."""
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            run(page, Path(folder))
            for name, path in PICTURES[page].items():
                save(Image.open(Path(folder) / path), name)


def run(page: str, folder: Path) -> None:
    """Run a page, or the commands of a picture, in a folder."""
    if page not in COMMANDS:
        path = ROOT / "docs" / f"{page}.md"
        after = DRAW_PICKER if page == "pickers" else ""
        command = [str(ROOT / "tests" / "run_page.py"), str(path), str(ROOT), after]
        subprocess.run([sys.executable, *command], cwd=folder, check=True)
    for line in COMMANDS.get(page, []):
        subprocess.run([sys.executable, "-m", "cgmgm_seis", *line.split()], cwd=folder, check=True)
    if page == "training":
        draw_losses(folder / "run" / "metrics.csv").savefig(folder / "training.png")


def draw_losses(metrics: Path) -> Figure:
    """Draw losses and learning rate of a training."""
    table = pd.read_csv(metrics)
    figure = Figure(figsize=(9.0, 3.2), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    for split in ("train", "dev"):
        left.plot(table["epoch"], table[f"{split}_loss"], label=split)
    best = table["dev_loss"].idxmin()
    left.plot(table["epoch"][best], table["dev_loss"][best], "k*", label="kept")
    left.set(xlabel="Epoch", ylabel="Loss", yscale="log")
    left.legend()
    right.plot(table["epoch"], table["learning_rate"])
    right.set(xlabel="Epoch", ylabel="Learning rate")
    return figure


def save(image: Image.Image, name: str) -> None:
    """Write a picture with at most 128 colours, as wide as its size allows."""
    path = HERE / f"{name}.png"
    top = round(LEFT_OUT.get(name, 0.0) * image.height)
    image = image.crop((0, top, image.width, image.height))
    for width in (min(image.width, 1200), 1000, 900, 800, 700, 640):
        height = round(image.height * width / image.width)
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        small.quantize(128).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            break
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1:] or list(PICTURES))
