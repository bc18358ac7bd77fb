"""An interactive map in one HTML file that works without network."""

import base64
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import matplotlib
import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.grid.statistics import STATISTICS
from cgmgm_seis.grid.tasks import MODEL_STATISTICS
from cgmgm_seis.scenario.coastlines import coastlines
from cgmgm_seis.scenario.geography import unwrapped_longitude

# Maximum number of nodes; larger grids are thinned, so that the page opens quickly.
MOST_NODES = 40_000
COLOURS = "magma_r"
# The coastline is drawn up to this far beyond the nodes, degrees.
COAST_MARGIN = 0.5


def write_html(path: Path, maps: Path, title: str) -> str:
    """Write a page on which a map can be selected and its values are shown under the cursor.

    Parameters
    ----------
    path : pathlib.Path
        The page to write.
    maps : pathlib.Path
        ``maps.h5``.
    title : str
        Heading of the page.

    Returns
    -------
    str
        Description of the page, one line.
    """
    with h5py.File(maps) as file:
        grid = "latitude" in file and file["latitude"].is_scale
        latitude, longitude = file["latitude"][:], file["longitude"][:]
        n_nodes = len(latitude) * len(longitude) if grid else len(latitude)
        step = int(np.ceil(np.sqrt(n_nodes / MOST_NODES))) if grid else 1
        thin = slice(None, None, step)
        layers = [
            {"name": name, "data": _packed(values[..., thin, thin] if grid else values)}
            for name, values in _layers(file)
        ]
        content = {
            "title": title,
            "grid": bool(grid),
            "latitude": latitude[thin].round(6).tolist(),
            "longitude": longitude[thin].round(6).tolist(),
            "codes": [] if grid else file["station"].asstr()[:].tolist(),
            "source": [
                float(file.attrs["source_latitude_deg"]),
                float(unwrapped_longitude(file.attrs["source_longitude_deg"], longitude.mean())),
            ],
            "coast": _coast(longitude, latitude),
            "layers": layers,
            "colours": (matplotlib.colormaps[COLOURS](np.arange(256))[:, :3] * 255)
            .round()
            .astype(int)
            .tolist(),
        }
    page = (files("cgmgm_seis.grid") / "map.html").read_text()
    # "</script" in the data would end the script, and "<!--<script" would hide its end.
    data = json.dumps(content).replace("<", "\\u003c")
    path.write_text(page.replace("/*DATA*/null", data))
    thinned = f", every {step}th node in both directions" if step > 1 else ""
    return f"interactive map, opens in any browser: {len(layers)} layers{thinned}"


def _coast(longitude: NDArray[Any], latitude: NDArray[Any]) -> list[list[list[float]]]:
    """Return the coastlines on or near the map, as longitudes and latitudes."""
    low = np.array([longitude.min(), latitude.min()]) - COAST_MARGIN
    high = np.array([longitude.max(), latitude.max()]) + COAST_MARGIN
    near = [line for line in coastlines() if ((line > low) & (line < high)).all(axis=1).any()]
    return [line.round(4).tolist() for line in near]


def _layers(file: h5py.File) -> list[tuple[str, NDArray[Any]]]:
    """Return all statistics of all measures, except those that are NaN everywhere."""
    found = []
    for name in sorted(file):
        known = MODEL_STATISTICS if name.startswith("models_") else STATISTICS
        statistic = next((key for key in known if name.endswith(f"_{key}")), None)
        if statistic is None:
            continue
        kind = name.partition("ln_")[2].removesuffix(f"_{statistic}")
        values = file[name]
        axes = [
            file[values.dims[k][0].name]
            for k in range(values.ndim)
            if values.dims[k][0].name.strip("/") in ("model", "component", "frequency", "period")
        ]
        unit = file[name].attrs["long_name"].split(" in ")[1].split(":")[0]
        for index in np.ndindex(*(len(axis) for axis in axes)):
            if not np.isfinite(array := values[index]).any():
                continue
            label = " ".join(_text(axis, k) for axis, k in zip(axes, index, strict=True))
            text = statistic.replace("_", " ")
            found.append((f"ln {kind.upper()} ({unit}) {label} {text}".replace("  ", " "), array))
    return found


def _text(axis: h5py.Dataset, k: int) -> str:
    if h5py.check_string_dtype(axis.dtype):
        return str(axis.asstr()[k])
    return f"{axis[k]:g} {axis.attrs['units']}"


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
