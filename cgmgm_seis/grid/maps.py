"""Map files: netCDF-4 with CF conventions, written piece by piece.

netCDF-4 is a layout of HDF5, so h5py, which is required anyway, writes it node by node; libraries
of netCDF, xarray and GDAL read it.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.statistics import LINEAR_STATISTICS, STATISTICS
from cgmgm_seis.grid.tasks import MODEL_STATISTICS, Arrays
from cgmgm_seis.measures.familiar_units import find_measure
from cgmgm_seis.measures.macroseismic_intensity import SOURCE, mmi

CONVENTIONS = "CF-1.10"
# The name of the variable with the coordinate system, which every map refers to.
GRID_MAPPING = "crs"
WGS84 = {
    "grid_mapping_name": "latitude_longitude",
    "long_name": "World Geodetic System 1984",
    "semi_major_axis": 6378137.0,
    "inverse_flattening": 298.257223563,
    "longitude_of_prime_meridian": 0.0,
    "crs_wkt": (
        'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,'
        '298.257223563,LENGTHUNIT["metre",1]]],CS[ellipsoidal,2],AXIS["latitude",north,ORDER[1]],'
        'AXIS["longitude",east,ORDER[2]],ANGLEUNIT["degree",0.0174532925199433],ID["EPSG",4326]]'
    ),
}
# Statistics that increase with the values: those of the intensity are the intensity of those.
MONOTONE = ("median", "p16", "p84")
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

    Variables have the dimensions of the measure (component, frequency, period), followed by
    latitude and longitude, or station; those of the realizations have the dimension realization
    first.  Those of several models have the dimension model first; they are NaN where a model does
    not predict a measure.

    In familiar units, variables are named ``<measure>_<statistic>``, realizations ``<measure>``,
    and maps of models ``models_<measure>_<statistic>``.  The mean of logarithms is the geometric
    mean, and standard deviations are those of natural logarithms.  With PGV or PGA there is also
    the intensity, see `cgmgm_seis.measures.macroseismic_intensity.mmi`.  As logarithms of the
    values in SI units, names are ``ln_<measure>_<statistic>``, ``ln_<measure>`` and
    ``models_ln_<measure>_<statistic>``.

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
    ln : bool
        Write natural logarithms of SI values instead of familiar units.
    """

    def __init__(
        self,
        file: h5py.File,
        nodes: Nodes,
        measures: Measures,
        n_kept: int,
        models: Sequence[str] = (),
        ln: bool = False,
    ) -> None:
        self.file, self.measures, self.shape, self.ln = file, measures, nodes.shape, ln
        self.prefix = "ln_" if ln else ""
        self.axes = dict(measures.axes)
        # What intensity is made of.
        self.motion = next((kind for kind in ("pgv", "pga") if kind in measures.axes), None)
        if self.motion and not ln:
            self.axes["mmi"] = {}
        places = self._places(nodes)
        file.create_dataset(GRID_MAPPING, data=np.int32(0)).attrs.update(WGS84)
        self._axis("realization", np.arange(n_kept)) if n_kept else None
        self._axis("model", list(models)) if models else None
        for kind, axes in self.axes.items():
            for name, values in axes.items():
                self._axis(name, values)
            for key in STATISTICS:
                self._variable("", kind, key, [], axes, places)
            if n_kept:
                self._variable("", kind, "", ["realization"], axes, places)
            for key in MODEL_STATISTICS if models else ():
                self._variable("models_", kind, key, ["model"], axes, places)

    def write(self, first: int, values: NDArray[np.float32], found: Arrays) -> None:
        """Write ln values (node, realization, series) and statistics of nodes from `first` on."""
        self._write("", first, {**found, "": values})

    def write_models(self, first: int, found: Arrays) -> None:
        """Write `MODEL_STATISTICS` (node, model, series) of nodes from `first` on."""
        self._write("models_", first, found)

    def _write(self, before: str, first: int, found: Arrays) -> None:
        """Write what the file has of ln arrays (node, .., series) by their statistic."""
        for kind, axes in self.axes.items():
            part = self.measures.slices[self.motion if kind == "mmi" and self.motion else kind]
            sizes = [len(axis) for axis in axes.values()]
            for key, array in found.items():
                name = self._name(before, kind, key)
                if name in self.file:
                    values = array[..., part].reshape(*array.shape[:-1], *sizes)
                    self._put(name, first, self._shown(kind, key, np.moveaxis(values, 0, -1)))

    def _name(self, before: str, kind: str, key: str) -> str:
        """Return the name of the variable of a statistic, or with "" of the realizations."""
        shown = key if self.ln or key not in LINEAR_STATISTICS else LINEAR_STATISTICS[key][0]
        return f"{before}{self.prefix}{kind}" + (f"_{shown}" if shown else "")

    def _shown(self, kind: str, key: str, ln_values: NDArray[Any]) -> NDArray[Any]:
        """Return ln values as the file has them; standard deviations are always of ln."""
        if self.ln or _is_scatter(key):
            return ln_values
        if kind == "mmi" and self.motion:
            return mmi(**{self.motion: np.exp(ln_values.astype(float))})
        return find_measure(kind).familiar_of_ln(ln_values)

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
        before: str,
        kind: str,
        key: str,
        first: list[str],
        axes: Mapping[str, Any],
        places: list[str],
    ) -> None:
        """Create the variable of a statistic, or with the key "" of the realizations."""
        if kind == "mmi" and key and key not in MONOTONE:
            return
        dimensions = [*first, *axes, *places]
        shape = tuple(len(self.file[axis]) for axis in dimensions)
        name = self._name(before, kind, key)
        variable = self.file.create_dataset(name, shape, "f4", fillvalue=np.float32(np.nan))
        for number, axis in enumerate(dimensions):
            variable.dims[number].attach_scale(self.file[axis])
        variable.attrs.update(**self._description(before, kind, key), grid_mapping=GRID_MAPPING)
        if places == ["station"]:
            variable.attrs["coordinates"] = "latitude longitude"

    def _description(self, before: str, kind: str, key: str) -> dict[str, str]:
        """Return the units, name and definition of a statistic of a measure."""
        measure = find_measure(kind)
        text = (MODEL_STATISTICS if before else STATISTICS).get(key, "realizations")
        if self.ln:
            long_name = f"ln of {measure.symbol} in {measure.unit}: {text}"
            units = "1"
        elif _is_scatter(key):
            long_name, units = f"ln {measure.symbol}: {text}", "1"
        else:
            text = LINEAR_STATISTICS[key][1] if key in LINEAR_STATISTICS else text
            unit = "" if measure.familiar_unit == measure.symbol else f" ({measure.familiar_unit})"
            long_name, units = f"{measure.symbol}{unit}: {text}", measure.familiar_cf_unit
        if kind == "mmi" and self.motion:
            comment = f"{measure.label} of {find_measure(self.motion).symbol}, {SOURCE}"
        else:
            comment = self.measures.definition(kind)
        return {"units": units, "long_name": long_name, "comment": comment}


def _is_scatter(key: str) -> bool:
    """Return whether a statistic is a standard deviation, which is of logarithms."""
    return key.startswith("sigma") or key == "epistemic"


@contextmanager
def open_map_file(
    path: Path,
    nodes: Nodes,
    measures: Measures,
    n_kept: int,
    attributes: Mapping[str, Any],
    models: Sequence[str] = (),
    ln: bool = False,
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
    models, ln
        See `MapFile`.

    Raises
    ------
    OutputError
        If there is not enough disk space, which HDF5 would notice too late.
    """
    n_maps = len(STATISTICS) + n_kept + len(models) * len(MODEL_STATISTICS)
    # One series more for the intensity.
    needed = 4 * len(nodes) * (measures.n_series + 1) * n_maps + OVERHEAD_BYTES
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
        yield MapFile(file, nodes, measures, n_kept, models, ln)
