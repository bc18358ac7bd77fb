"""The data of a reproduction: the data report, or a SeisBench data set, with a split by event."""

import shutil
from pathlib import Path
from typing import Any

from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.designsafe import import_designsafe
from cgmgm_seis.datasets.designsafe_csv import SUFFIXES
from cgmgm_seis.datasets.splitting import split_dataset
from cgmgm_seis.datasets.windows import open_unchecked
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.output.seisbench_writer import CHUNKS_FILE, chunk_files
from cgmgm_seis.reproduction.recipe import PaperRecipe
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.files import link_file, sha256


def report_files(dataset: Path, components: str) -> list[Path]:
    """Return the files of a data report with some components; none for a SeisBench data set.

    Parameters
    ----------
    dataset : pathlib.Path
        Folder of the files, or one file.
    components : str
        The components.

    Raises
    ------
    DatasetError
        If a component has no file, or several.
    """
    if not dataset.exists():
        raise DatasetError(f"{dataset} does not exist; it must be a data report or a data set.")
    if dataset.is_file():
        return [dataset]
    if any(dataset.glob("waveforms*.hdf5")):
        return []
    csv_files, found = sorted(dataset.glob("*.csv")), []
    for component in components:
        endings = [f"_{ending}" for ending, letter in SUFFIXES.items() if letter == component]
        own = [path for path in csv_files if path.stem.upper().endswith(tuple(endings))]
        if len(own) != 1:
            raise DatasetError(
                f"{dataset} has {len(own)} files of component {component} ("
                f"{', '.join(path.name for path in own) or 'names end with ' + ', '.join(endings)})"
                "; it must have one, or be a SeisBench data set."
            )
        found += own
    return found


def data_identity(dataset: Path, components: str) -> dict[str, Any]:
    """Return checksums of the files with metadata, and the sizes of the others, by name."""
    files = report_files(dataset, components)
    if files:
        return {path.name: sha256(path) for path in files}
    return {
        path.name: sha256(path) if path.suffix == ".csv" else path.stat().st_size
        for path in _dataset_files(dataset)
    }


def write_data(dataset: Path, folder: Path, recipe: PaperRecipe, progress: bool) -> None:
    """Import a data report, or link a SeisBench data set, and split it by event.

    A split that a data set has is kept.

    Parameters
    ----------
    dataset : pathlib.Path
        The data report or data set.
    folder : pathlib.Path
        Folder of the data set to write; what an interrupted run has left there is replaced.
    recipe : PaperRecipe
        Components, start offset and seed.
    progress : bool
        Show progress bars.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if files := report_files(dataset, recipe.components):
        import_designsafe(files, folder, recipe.start_offset_s, progress=progress)
    else:
        for path in _dataset_files(dataset):
            if path.suffix == ".hdf5":
                link_file(path.resolve(), folder / path.name)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / path.name)
    if "split" not in open_unchecked(folder, Window(recipe.components)).metadata:
        split_dataset(folder, "event", recipe.seed)


def _dataset_files(dataset: Path) -> list[Path]:
    """Return the files of a SeisBench data set."""
    chunks = WaveformDataset.available_chunks(dataset)
    names = [name for chunk in chunks for name in chunk_files(chunk)]
    if (dataset / CHUNKS_FILE).is_file():
        names.append(CHUNKS_FILE)
    return [dataset / name for name in names]
