"""Run the commands once on a small simulated catalogue and keep numbers of what they write.

    python tests/data/make_goldens.py

writes goldens.json beside this file.  `tests/test_goldens.py` runs the same and compares: changes
of the code that should not change any result are held to it.  Run it again only where the CHANGELOG
says that generated values change.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import obspy
import pandas as pd
from click.testing import CliRunner
from numpy.typing import ArrayLike

GOLDENS = Path(__file__).with_name("goldens.json")
SOURCE = ("--mag", "3.5", "--src", "37.9,-122.1")
MODELS = {"evolutionary": ("--width", 16), "cgmgm": ("--prior", 16)}
# Records are those of bundled weights: what rounding, which differs between processors, makes of a
# training of one epoch is other latents.
WEIGHTS = {"evolutionary": "bay_area_evolutionary", "cgmgm": "bay_area"}


def run(*arguments: Any) -> None:
    """Run a command; its output and error are shown where it fails."""
    from cgmgm_seis_cli.main import main

    result = CliRunner().invoke(main, [*map(str, arguments), "-q"])
    if result.exit_code != 0:
        raise RuntimeError(f"{arguments} failed: {result.output}")


def summary(values: ArrayLike) -> list[float]:
    """Return mean, root mean square, first, middle and last of finite values."""
    x = np.asarray(values, float).ravel()
    x = x[np.isfinite(x)]
    numbers = [x.mean(), np.sqrt(np.mean(x**2)), x[0], x[len(x) // 2], x[-1]]
    return [float(f"{number:.7g}") for number in numbers]


def goldens(work: Path) -> dict[str, list[float]]:
    """Return the numbers, by what they describe."""
    found: dict[str, list[float]] = {}
    catalogue = work / "catalogue"
    run("dataset", "simulate", "--events", 12, "--seed", 3, "--out", catalogue)
    with h5py.File(catalogue / "waveforms.hdf5") as file:
        blocks = [file["data"][name][:] for name in sorted(file["data"])]
    found["simulate"] = summary(np.concatenate([block.ravel()[::97] for block in blocks]))
    for name, size in MODELS.items():
        out = work / name
        run("train", catalogue, "--model", name, *size, "--epochs", 1, "--batch-size", 16,
            "--seed", 4, "--device", "cpu", "--name", name, "--out", out)  # fmt: skip
        metrics = pd.read_csv(out / "metrics.csv")
        losses = [column for column in metrics if "loss" in column]
        found[f"train {name}"] = summary(metrics[losses].to_numpy())
        weights = ("--weights", WEIGHTS[name])
        places = ("--sta", "37.8,-122.2", "--sta", "38.0,-122.0")
        run("generate", *SOURCE, *weights, *places, "-n", 2, "--seed", 5, "--no-plot",
            "--out", out / "generated")  # fmt: skip
        stream = obspy.read(str(out / "generated" / "*.mseed"))
        stream.sort(["station", "location", "channel"])
        for trace in stream[::5]:
            found[f"generate {name} {trace.id}"] = summary(trace.data)
        run("grid", *SOURCE, *weights, "--region", "-122.3,-122.0,37.8,38.0", "--shape", "2x3",
            "-n", 2, "--seed", 6, "--write", "maps", "--ln", "--workers", 1,
            "--out", out / "grid")  # fmt: skip
        with h5py.File(out / "grid" / "maps.h5") as file:
            for path, values in sorted(datasets(file).items()):
                found[f"grid {name} {path}"] = summary(values)
    weights = [text for name in WEIGHTS.values() for text in ("--weights", name)]
    run("evaluate", catalogue, *weights, "-n", 2, "--max-records", 20, "--picker", "none",
        "--classifiers", 0, "--no-gmms", "--device", "cpu", "--workers", 1, "--seed", 7,
        "--out", work / "evaluated")  # fmt: skip
    for path in sorted((work / "evaluated").rglob("*.csv")):
        numbers = pd.read_csv(path).select_dtypes("number").to_numpy(float)
        if np.isfinite(numbers).any():
            found[f"evaluate {path.relative_to(work / 'evaluated')}"] = summary(numbers)
    return found


def datasets(file: h5py.File) -> dict[str, Any]:
    """Return every numeric array of a file by its path."""
    arrays: dict[str, Any] = {}

    def add(path: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            arrays[path] = item[()]

    file.visititems(add)
    return arrays


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDENS.write_text(json.dumps(goldens(Path(folder)), indent=1) + "\n")
    sys.stdout.write(f"Wrote {GOLDENS}.\n")
