"""A folder with a small valid file of every kind that the commands read, and commands on them."""

import json
import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import obspy

TESTS = Path(__file__).resolve().parents[1]
# Other tests have the small data sets, tables and checkpoints.
sys.path[:0] = [str(TESTS), *(str(TESTS / name) for name in ("models", "evaluation"))]

SOURCE = "--mag 4 --src 37.9,-122.1"
DRAW = f"generate {SOURCE} --sta 37.8,-122.2 --no-plot"
MAP = f"grid {SOURCE} --workers 1"
REGION = "--region=-122.3,-122,37.8,38 --shape 2x2"
SMALL = "--model cgmgm --epochs 1 --device cpu"
TINY = "--latent 2 --prior 2 --embedding 2"
RECORDED = "--event event.xml --inventory stations.xml"
ARCHIVE = "--events event.xml --inventory stations.xml --waveforms waveforms"
COMPARE = "-n 2 --picker none --classifiers 0 --no-gmms --no-scaling --workers 1 --device cpu"

# Commands that succeed in the kit, and the files of it that they read.
COMMANDS = {
    f"{DRAW} --weights tiny --out new": ("tiny.json", "tiny.pt"),
    f"{DRAW} --out new": (),
    f"{DRAW} --weights evo --out new": ("evo.json", "evo.pt"),
    f"generate {RECORDED} --observed waveforms --weights tiny --no-plot --out new": (
        *("event.xml", "stations.xml", "waveforms/BK.BRIB.mseed"),
    ),
    f"generate {SOURCE} --stations stations.csv --weights tiny --no-plot --out new": (
        "stations.csv",
    ),
    f"generate {SOURCE} --stations stations.txt --weights tiny --no-plot --out new": (
        "stations.txt",
    ),
    "generate --mag 3.5 --src 37.7,-122.2 --depth 5 --sta 37.8,-122.2 --no-plot --given given.csv "
    "--weights evo --out new": ("given.csv",),
    f"{DRAW} --given stationlist.json --weights evo --out new": ("stationlist.json",),
    f"generate {RECORDED} --given waveforms --weights evo --no-plot --out new": (
        *("event.xml", "stations.xml", "waveforms/BK.BRIB.mseed"),
    ),
    f"{MAP} {REGION} --weights tiny --out new": ("tiny.json", "tiny.pt"),
    f"{MAP} --stations stations.csv --weights evo --out new": ("stations.csv", "evo.json"),
    f"{MAP} {REGION} --weights tiny --gmm nonergodic:gmm.npz --write maps --out new": ("gmm.npz",),
    f"{MAP} {REGION} --weights tiny --out shards": (".shards.chunks/*.chunk",),
    "serve generated --weights tiny --port 0": (
        *("generated/events.xml", "generated/stations.xml", "generated/waveforms.mseed"),
        *("generated/provenance.json", "tiny.json"),
    ),
    "serve --weights tiny --receivers stations.csv --port 0": ("stations.csv",),
    "weights list": (),
    "weights info tiny": ("tiny.json", "tiny.pt"),
    "weights info evo --json": ("evo.json", "evo.pt"),
    "weights add tiny.zip": ("tiny.zip",),
    "weights add tiny": ("tiny.json", "tiny.pt"),
    "weights pack tiny --license CC0-1.0 --out new.zip": ("tiny.json", "tiny.pt"),
    "weights import best_model.pt --condition-set coordinates --ranges ranges.json --out new": (
        *("best_model.pt", "ranges.json"),
    ),
    "gmm info gmm.npz": ("gmm.npz",),
    "gmm fit dataset --frequencies 5 --out new.npz": ("dataset/metadata.csv",),
    "dataset info dataset --no-plot": ("dataset/metadata.csv", "dataset/waveforms.hdf5"),
    "dataset split dataset --overwrite": ("dataset/metadata.csv",),
    "dataset from-seisbench dataset --out new": ("dataset/metadata.csv", "dataset/waveforms.hdf5"),
    f"dataset from-records {ARCHIVE} --out new": (
        *("event.xml", "stations.xml", "waveforms/BK.BRIB.mseed"),
    ),
    "dataset import-designsafe report_EW.csv --out new": ("report_EW.csv",),
    "dataset simulate --events 1 --stations-per-event 2 --workers 1 --out new": (),
    "dataset download --client http://127.0.0.1:65530 --start 2019-10-15 --end 2019-10-16 "
    "--region=-123,-121,37,39 --tries 1 --events event.xml --out new": (),
    f"train dataset {SMALL} {TINY} --out new": ("dataset/metadata.csv", "dataset/waveforms.hdf5"),
    f"train dataset {SMALL} {TINY} --components Z --out run --resume": (
        *("run/config.json", "run/checkpoint.pt", "run/metrics.csv"),
    ),
    "train dataset --config recipe.json --epochs 1 --device cpu --out new": ("recipe.json",),
    "train dataset --init tiny --epochs 1 --device cpu --out new": ("tiny.json", "tiny.pt"),
    f"train dataset {SMALL} {TINY} --velocity-model model.nd --out new": ("model.nd",),
    f"tune dataset {SMALL} --space space.json --trials 1 --components Z --out new": ("space.json",),
    f"tune dataset {SMALL} --space space.json --trials 1 --components Z --out search --resume": (
        *("search/trials.json", "search/best.json", "search/best/config.json"),
    ),
    f"evaluate dataset --weights tiny {COMPARE} --out new": (
        *("tiny.json", "dataset/metadata.csv", "dataset/waveforms.hdf5"),
    ),
    "evaluate flat.csv --weights tiny --columns columns.json -n 2 --no-gmms --workers 1 "
    "--device cpu --out new": ("flat.csv", "columns.json"),
    "reproduce nowhere --quick --recipe paper.json --out new": ("paper.json",),
    "example pleasant-hill --out new": (),
}


def make_kit(folder: Path) -> Path:
    """Write the files to a new folder, which becomes the current one, and return it."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    _weights()
    _records()
    _tables()
    _settings()
    _runs()
    return folder


def run(line: str) -> None:
    """Run a command in the current folder, which must succeed."""
    from click.testing import CliRunner

    from cgmgm_seis_cli.main import main

    result = CliRunner().invoke(main, [*line.split()], prog_name="cgmgm-seis")
    if result.exit_code:
        raise RuntimeError(f"{line}: {result.output}") from result.exception


def _weights() -> None:
    import torch
    from small_datasets import TINY_RANGES
    from test_checkpoints import published_state

    from cgmgm_seis.models.cgmgm.model import CGMGM

    torch.manual_seed(0)
    sizes = {"n_latents": 2, "prior_size": 2, "embedding_size": 2, "griffin_lim_iterations": 2}
    model = CGMGM(**sizes, ranges=TINY_RANGES)
    model.save("tiny", weights_docstring="Untrained.", card={"trained_on": "nothing: simulated"})
    bundled = Path(str(files("cgmgm_seis.models") / "bundled" / "evolutionarycgm"))
    for kind in ("json", "pt"):
        shutil.copyfile(next(bundled.glob(f"*.{kind}.v*")), f"evo.{kind}")
    torch.save({"model": published_state(sizes=(2, 2, 2))}, "best_model.pt")
    run("weights pack tiny --license CC0-1.0 --out tiny.zip")


def _records() -> None:
    from small_datasets import write_dataset

    from cgmgm_seis.datasets.examples import PLEASANT_HILL
    from cgmgm_seis.datasets.simulated_report import write_simulated_report

    shutil.copyfile(PLEASANT_HILL / "event.xml", "event.xml")
    inventory = obspy.read_inventory(PLEASANT_HILL / "stations.xml")
    kept = obspy.Inventory()
    Path("waveforms").mkdir()
    for path in sorted((PLEASANT_HILL / "waveforms").iterdir())[:2]:
        network, station = path.stem.split(".")
        kept += inventory.select(network=network, station=station)
        shutil.copyfile(path, Path("waveforms", path.name))
    kept.write("stations.xml", "STATIONXML")
    kept.write("stations.txt", "STATIONTXT", level="channel")
    write_dataset(Path("dataset"), n_events=14, per_event=2, change=_scatter, n_samples=6000)
    Path("report").mkdir()
    write_simulated_report(Path("report"), n_events=1)
    rows = next(Path("report").glob("*_EW.csv")).read_text().splitlines()[:3]
    Path("report_EW.csv").write_text("\n".join(rows) + "\n")
    shutil.rmtree("report")


def _scatter(number: int, row: dict, motion: object) -> None:
    """Let magnitude, depth and distance vary independently, as fits need."""
    event = number // 2
    row["source_depth_km"] = 5.0 + 7 * event % 5
    row["station_latitude_deg"] += 0.02 * (5 * event % 7)


def _tables() -> None:
    from flatfiles import GOOD
    from test_stationlist import CRG

    Path("stations.csv").write_text(
        "network,station,latitude,longitude,elevation\n"
        "BK,AAA,37.8,-122.2,10\nBK,BBB,37.9,-122.3,0\n"
    )
    table = GOOD.assign(pgv_cmps=2.0, **{"psa_0.300s_g": 0.2})
    table.to_csv("flat.csv", index=False)
    table[:3].to_csv("given.csv", index=False)
    collection = {"type": "FeatureCollection", "metadata": {}, "features": [CRG]}
    Path("stationlist.json").write_text(json.dumps(collection))
    Path("model.nd").write_text("0 6 3.5 2.7\n40 6 3.5 2.7\n")


def _settings() -> None:
    from small_datasets import TINY_RANGES

    contents = {
        "space": {"n_latents": [2], "prior_size": [2], "learning_rate": {"from": 1e-4, "to": 1e-2}},
        "recipe": {
            "model": "CGMGM",
            "arguments": {"n_latents": 2, "prior_size": 2, "component_order": "Z"},
            "training": {"epochs": 1, "learning_rate": 1e-3},
        },
        "paper": {
            **{"trial_epochs": 1, "epochs": 1, "evolutionary_epochs": 1},
            **{"max_records": 4, "picker": "none", "shape": [2, 2], "frequencies": [2.0]},
            **{"map_realizations": 1, "condition_sets": ["coordinates"], "trials": 1},
        },
        "columns": {"pga_g": "pga_g", "pgv_cmps": "pgv_cmps"},
        "ranges": {"log_amplitude_range": [-9.0, -1.0], **TINY_RANGES},
    }
    for name in ("path_ep_distance_km", "path_hyp_distance_km"):
        del contents["ranges"][name]
    for name, content in contents.items():
        Path(f"{name}.json").write_text(json.dumps(content))


def _runs() -> None:
    run("gmm fit dataset --frequencies 5 --out gmm.npz")
    run(f"train dataset {SMALL} {TINY} --components Z --out run")
    run(f"tune dataset {SMALL} --space space.json --trials 1 --components Z --out search")
    run(f"{DRAW} --weights tiny --out generated")
    run(f"{MAP} {REGION} --weights tiny --shard 1/1 --out shards")


if __name__ == "__main__":
    make_kit(Path(sys.argv[1]))
