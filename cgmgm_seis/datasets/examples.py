"""Examples: a recorded earthquake that the package brings along, and simulated ones."""

import os
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from cgmgm_seis.errors import OutputError
from cgmgm_seis.storage.folders import complete_folder

# The recorded earthquake in the package: event.xml, stations.xml and waveforms.
PLEASANT_HILL = Path(str(files("cgmgm_seis.datasets") / "data" / "pleasant_hill"))


def write_example(name: str, out: str | Path) -> list[tuple[Path, str]]:
    """Write an example and a README to a new folder.

    Parameters
    ----------
    name : str
        "pleasant-hill": the Mw 4.46 Pleasant Hill earthquake of 2019 as recorded by 11 stations,
        in counts.  "kermadec": simulated records of earthquakes at the Kermadec ridge, see
        `cgmgm_seis.datasets.simulated_archive.write_archive`.  "data-report": simulated records in
        the layout of the paper's data, see
        `cgmgm_seis.datasets.simulated_report.write_simulated_report`.
    out : str or pathlib.Path
        The folder to create.

    Returns
    -------
    list of (pathlib.Path, str)
        Files and folders written and a one-line description of each.

    Raises
    ------
    OutputError
        If there is no such example, or the folder exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_example("pleasant-hill", f"{folder}/example")
    >>> [path.name for path, _ in written]
    ['event.xml', 'stations.xml', 'waveforms', 'README.txt']
    """
    if name not in EXAMPLES:
        raise OutputError(f"There is no example '{name}'; use one of {', '.join(EXAMPLES)}.")
    folder = Path(out)
    if os.path.lexists(folder):
        raise OutputError(f"{folder} already exists; give the example a new folder.")
    with complete_folder(folder, overwrite=False) as temporary:
        described = EXAMPLES[name](temporary)
    return [(folder / file, description) for file, description in described.items()]


def _pleasant_hill(folder: Path) -> dict[str, str]:
    """Copy the recorded earthquake; the copies are writable even if the package is not."""
    for path in PLEASANT_HILL.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(PLEASANT_HILL)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    return {
        "event.xml": "QuakeML: the Mw 4.46 Pleasant Hill earthquake, 2019-10-15",
        "stations.xml": "StationXML: 11 stations with the responses of 36 channels",
        "waveforms": "MiniSEED: one file per station, recorded counts",
        "README.txt": "origin and terms of the recordings, and what to do with them",
    }


def _kermadec(folder: Path) -> dict[str, str]:
    """Simulate the archive."""
    from cgmgm_seis.datasets.simulated_archive import write_archive

    return write_archive(folder)


def _data_report(folder: Path) -> dict[str, str]:
    """Simulate the data report."""
    from cgmgm_seis.datasets.simulated_report import write_simulated_report

    return write_simulated_report(folder)


EXAMPLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "pleasant-hill": _pleasant_hill,
    "kermadec": _kermadec,
    "data-report": _data_report,
}
