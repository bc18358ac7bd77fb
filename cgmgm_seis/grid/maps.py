"""Map file: HDF5 in netCDF-4 layout with CF conventions, written piece by piece."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.measures import UNITS, Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.statistics import STATISTICS
from cgmgm_seis.grid.tasks import MODEL_STATISTICS, Arrays

CONVENTIONS = "CF-1.10"
# Space that a file needs in addition to its numbers.
OVERHEAD_BYTES = 2**20
AXES = {
    "frequency": {"units": "Hz", "long_name": "frequency"},
    "period": {"units": "s", "long_name": "natural period of the oscillator"},
    "component": {"long_name": "component of motion"},
    "model": {"long_name": "generator or ground-motion model"},
    "realization": {"units": "1", "long_name": "realization, one earthquake each"},
    "latitude": {"units": "degrees_north", "standard_name": "latitude"},
    "longitude": {"units": "degrees_east", "standard_name": "longitude"},
}


class MapFile:
    """Maps of the statistics of measures, and optionally of the realizations.

    Variables are natural logarithms named ``ln_<measure>_<statistic>`` with the dimensions of the
    measure (component, frequency, period), followed by latitude and longitude, or station; those
    of the realizations are ``ln_<measure>`` with the dimension realization first.  Those of several
    models are ``models_ln_<measure>_<statistic>`` with the dimension model first; they are NaN
    where a model does not predict a measure.

    Parameters
    ----------
    file : h5py.File
        File open for writing.
    nodes : Nodes
        The receivers.
    measures : Measures
        The measures.
    n_kept : int
        Number of realizations to write; 0 for none.
    models : sequence of str
        Names of the models; empty for one generator alone.
    """

    def __init__(
        self,
        file: h5py.File,
        nodes: Nodes,
        measures: Measures,
        n_kept: int,
        models: Sequence[str] = (),
    ) -> None:
        self.file, self.measures, self.shape = file, measures, nodes.shape
        places = self._places(nodes)
        self._axis("realization", np.arange(n_kept)) if n_kept else None
        self._axis("model", list(models)) if models else None
        for kind, axes in measures.axes.items():
            for name, values in axes.items():
                self._axis(name, values)
            names = {f"ln_{kind}_{key}": (text, False) for key, text in STATISTICS.items()}
            if n_kept:
                names[f"ln_{kind}"] = ("realizations", True)
            for name, (text, every) in names.items():
                self._variable(name, kind, text, (["realization"] if every else []), axes, places)
            for key, text in MODEL_STATISTICS.items() if models else ():
                self._variable(f"models_ln_{kind}_{key}", kind, text, ["model"], axes, places)

    def write(self, first: int, values: NDArray[np.float32], found: Arrays) -> None:
        """Write ln values (node, realization, series) and statistics of nodes from `first` on."""
        for kind, part in self.measures.slices.items():
            sizes = [len(axis) for axis in self.measures.axes[kind].values()]
            for key, array in found.items():
                moved = np.moveaxis(array[:, part].reshape(len(array), *sizes), 0, -1)
                self._put(f"ln_{kind}_{key}", first, moved)
            if f"ln_{kind}" in self.file:
                moved = np.moveaxis(values[..., part].reshape(*values.shape[:2], *sizes), 0, -1)
                self._put(f"ln_{kind}", first, moved)

    def write_models(self, first: int, found: Arrays) -> None:
        """Write `MODEL_STATISTICS` (node, model, series) of nodes from `first` on."""
        for kind, part in self.measures.slices.items():
            sizes = [len(axis) for axis in self.measures.axes[kind].values()]
            for key, array in found.items():
                moved = np.moveaxis(array[..., part].reshape(*array.shape[:2], *sizes), 0, -1)
                self._put(f"models_ln_{kind}_{key}", first, moved)

    def _put(self, name: str, first: int, values: NDArray[Any]) -> None:
        """Write the last axis of values to the nodes from `first` on."""
        variable, count = self.file[name], values.shape[-1]
        if self.shape is None:
            variable[..., first : first + count] = values
            return
        done, columns = 0, self.shape[1]
        while done < count:
            row, column = divmod(first + done, columns)
            if column == 0 and count - done >= columns:
                rows = (count - done) // columns
                whole = values[..., done : done + rows * columns]
                variable[..., row : row + rows, :] = whole.reshape(*values.shape[:-1], rows, -1)
                done += rows * columns
            else:
                part = min(columns - column, count - done)
                variable[..., row, column : column + part] = values[..., done : done + part]
                done += part

    def _places(self, nodes: Nodes) -> list[str]:
        """Write the coordinates of the nodes; return their dimensions."""
        if nodes.shape is not None:
            rows, columns = nodes.shape
            self._axis("latitude", nodes.latitude.reshape(rows, columns)[:, 0])
            self._axis("longitude", nodes.unwrapped_longitude[:columns])
            return ["latitude", "longitude"]
        table = nodes.table(0, len(nodes))
        codes = (table["station_network_code"] + "." + table["station_code"]).tolist()
        self._axis("station", codes)
        self.file["station"].attrs["long_name"] = "network and station code"
        coordinates = {
            "latitude": nodes.latitude,
            "longitude": nodes.unwrapped_longitude,
            "elevation": nodes.elevation,
        }
        for name, values in coordinates.items():
            variable = self.file.create_dataset(name, data=values)
            variable.dims[0].attach_scale(self.file["station"])
            variable.attrs.update(AXES.get(name, {"units": "m", "standard_name": "altitude"}))
        return ["station"]

    def _axis(self, name: str, values: Any) -> None:
        """Write a coordinate unless it exists."""
        if name in self.file:
            return
        text = len(values) and isinstance(values[0], str)
        kind = h5py.string_dtype() if text else None
        axis = self.file.create_dataset(name, data=list(values) if text else values, dtype=kind)
        axis.make_scale(name)
        axis.attrs.update(AXES.get(name, {}))

    def _variable(
        self,
        name: str,
        kind: str,
        text: str,
        before: list[str],
        axes: Mapping[str, Any],
        places: list[str],
    ) -> None:
        dimensions = [*before, *axes, *places]
        shape = tuple(len(self.file[axis]) for axis in dimensions)
        variable = self.file.create_dataset(name, shape, "f4", fillvalue=np.float32(np.nan))
        for number, axis in enumerate(dimensions):
            variable.dims[number].attach_scale(self.file[axis])
        variable.attrs.update(
            units="1",
            long_name=f"ln of {kind.upper()} in {UNITS[kind]}: {text}",
            comment=self.measures.definition(kind),
        )
        if places == ["station"]:
            variable.attrs["coordinates"] = "latitude longitude"


@contextmanager
def open_map_file(
    path: Path,
    nodes: Nodes,
    measures: Measures,
    n_kept: int,
    attributes: Mapping[str, Any],
    models: Sequence[str] = (),
) -> Iterator[MapFile]:
    """Create a map file and yield its writer.

    Parameters
    ----------
    path : pathlib.Path
        The file to create.
    nodes, measures, n_kept
        See `MapFile`.
    attributes : mapping
        Global attributes, texts and numbers.
    models : sequence of str
        See `MapFile`.

    Raises
    ------
    OutputError
        If there is not enough disk space, which HDF5 would notice too late.
    """
    n_maps = len(STATISTICS) + n_kept + len(models) * len(MODEL_STATISTICS)
    needed = 4 * len(nodes) * measures.n_series * n_maps + OVERHEAD_BYTES
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OutputError(
            f"{path.name} needs {needed / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free on "
            f"the disk."
        )
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["Conventions"] = CONVENTIONS
        for name, value in attributes.items():
            file.attrs[name] = value
        yield MapFile(file, nodes, measures, n_kept, models)
