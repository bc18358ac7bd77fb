"""An interactive map in one HTML file that works without network."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.grid.maps import MONOTONE
from cgmgm_seis.grid.page_content import colours, measure_entry, packed, places
from cgmgm_seis.grid.plots import GIVEN_PLACES
from cgmgm_seis.grid.statistics import LINEAR_STATISTICS, STATISTICS
from cgmgm_seis.grid.tasks import MODEL_STATISTICS
from cgmgm_seis.measures.macroseismic_intensity import SOURCE, mmi
from cgmgm_seis.output.pages import fill_page, map_parts, script_data, web_file
from cgmgm_seis.scenario.geography import unwrapped_longitude
from cgmgm_seis.scenario.stations import bay_area_stations

# Maximum number of nodes; larger grids are thinned, so that the page opens quickly.
MOST_NODES = 40_000
# Measures in the order of the page.
ORDER = ("pga", "pgv", "mmi", "psa", "eas", "fas")
NOTES = (
    f"Each value is that of the nearest node; intensity is by {SOURCE}. The coast is from Natural "
    "Earth (California 1:10 million, elsewhere 1:110 million): for orientation, not for distances. "
    "The star is the epicentre; white triangles are stations, black ones those whose records the "
    "model was given."
)


def write_html(path: Path, maps: Path, title: str) -> str:
    """Write a page with an interactive map.

    Parameters
    ----------
    path : pathlib.Path
        The page to write.
    maps : pathlib.Path
        ``maps.h5``, the natural logarithms.
    title : str
        Title of the page: the earthquake, and after a colon what made the maps.

    Returns
    -------
    str
        Description of the page, one line.
    """
    with h5py.File(maps) as file:
        grid = "latitude" in file and bool(file["latitude"].is_scale)
        latitude, longitude = file["latitude"][:], file["longitude"][:]
        n_nodes = len(latitude) * len(longitude) if grid else len(latitude)
        step = int(np.ceil(np.sqrt(n_nodes / MOST_NODES))) if grid else 1
        thin = slice(None, None, step)
        models = list(file["model"].asstr()[:]) if "model" in file else []
        measures, layers = _contents(file, models, thin if grid else None)
        content = {
            "grid": grid,
            "latitude": latitude[thin].round(6).tolist(),
            "longitude": longitude[thin].round(6).tolist(),
            "codes": [] if grid else file["station"].asstr()[:].tolist(),
            "source": _source(file, float(longitude.mean())),
            "stations": _stations(file, latitude, longitude, grid),
            **places(latitude, longitude),
            "colours": colours(),
            "measures": measures,
            "layers": layers,
            "models": models,
            "first": _first([measure["label"] for measure in measures]),
        }
    heading, _, details = title.partition(": ")
    thinned = f"every {step}th node in both directions" if step > 1 else ""
    page = fill_page(
        "cgmgm_seis.grid",
        "map.html",
        title=escape(title),
        heading=escape(heading),
        details=escape(details),
        notes=escape(f"The page has {thinned}. {NOTES}" if thinned else NOTES),
        data=script_data(content),
        page_script=web_file("cgmgm_seis.grid", "map.js"),
        **map_parts(),
    )
    path.write_text(page, encoding="utf-8")
    shown = f"{len(layers)} layers" + (f", {thinned}" if thinned else "")
    return f"interactive map, opens in any browser: {shown}"


def _source(file: h5py.File, middle: float) -> dict[str, Any]:
    """Return place and description of the earthquake."""
    attributes = file.attrs
    words = [
        f"{text.format(attributes[name])}"
        for name, text in (("source_magnitude", "M {:g}"), ("source_depth_km", "{:g} km deep"))
        if name in attributes
    ]
    return {
        "latitude": float(attributes["source_latitude_deg"]),
        "longitude": float(unwrapped_longitude(attributes["source_longitude_deg"], middle)),
        "text": ", ".join(["Epicentre", *words]),
    }


def _stations(
    file: h5py.File, latitude: NDArray[Any], longitude: NDArray[Any], grid: bool
) -> list[dict[str, Any]]:
    """Return the bundled stations on a grid, and those whose records the model is given."""
    found: list[dict[str, Any]] = []
    if grid:
        table = bay_area_stations()
        codes = table["station_network_code"] + "." + table["station_code"]
        for code, y, x in zip(
            codes, table["station_latitude_deg"], table["station_longitude_deg"], strict=True
        ):
            if latitude.min() <= y <= latitude.max() and longitude.min() <= x <= longitude.max():
                found.append({"latitude": y, "longitude": x, "text": code})
    if GIVEN_PLACES[0] in file.attrs:
        y_given, x_given = (np.asarray(file.attrs[name]) for name in GIVEN_PLACES)
        x_given = unwrapped_longitude(x_given, float(longitude.mean()))
        found += [
            {"latitude": y, "longitude": x, "text": "its record is given", "className": "given"}
            for y, x in zip(y_given.tolist(), x_given.tolist(), strict=True)
        ]
    return found


def _first(labels: list[str]) -> int:
    """Return the measure that the page opens with."""
    return next((labels.index(name) for name in ("PGA", "MMI", "PGV") if name in labels), 0)


def _contents(
    file: h5py.File, models: list[str], thin: slice | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the measures and the layers of a page; layers that are NaN everywhere are left out."""
    measures: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []
    for kind in ORDER:
        for model, statistic, words, label, values in _maps(file, kind, models):
            if not np.isfinite(values).any():
                continue
            entry = measure_entry(kind, label)
            if entry not in measures:
                measures.append(entry)
            sigma = statistic.startswith(("sigma", "epistemic"))
            layers.append(
                {
                    "measure": measures.index(entry),
                    "model": model,
                    "statistic": words,
                    "kind": "intensity" if kind == "mmi" else "sigma" if sigma else "amplitude",
                    "data": packed(values if thin is None else values[thin, thin]),
                }
            )
    return measures, layers


def _maps(
    file: h5py.File, kind: str, models: list[str]
) -> Iterator[tuple[str, str, str, str, NDArray[Any]]]:
    """Yield model, statistic, its description, frequency or the like, and values of a measure.

    The statistics of the realizations are those of the first model.
    """
    motion = kind
    if kind == "mmi":
        motion = "pgv" if "ln_pgv_median" in file else "pga"
    single = file.attrs.get("n_realizations") == 1
    linear = {key: words for key, (_, words) in LINEAR_STATISTICS.items()}
    own = {"median": "the realization"} if single else STATISTICS | linear
    several = {f"models_ln_{motion}_{key}": (key, words) for key, words in MODEL_STATISTICS.items()}
    variables = {f"ln_{motion}_{key}": (key, words) for key, words in own.items()} | several
    for name, (statistic, words) in variables.items():
        if name not in file or (kind == "mmi" and statistic not in MONOTONE):
            continue
        for label, values in _series(file, name):
            if kind == "mmi":
                values = mmi(**{motion: np.exp(values.astype(float))})
            if name not in several:
                yield (models[0] if models else ""), statistic, words, label, values
                continue
            for k, (model, its_values) in enumerate(zip(models, values, strict=True)):
                if k > 0 or statistic != "median":  # that of the first is one of the realizations
                    yield model, statistic, words, label, its_values


def _series(file: h5py.File, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the maps of a variable by component, frequency and period; models stay together."""
    variable = file[name]
    axes = {k: variable.dims[k][0] for k in range(variable.ndim)}
    listed = {
        k: axis
        for k, axis in axes.items()
        if axis.name.strip("/") in ("component", "frequency", "period")
    }
    for index in np.ndindex(*(len(axis) for axis in listed.values())):
        place = dict(zip(listed, index, strict=True))
        label = " ".join(_text(axis, place[k]) for k, axis in listed.items())
        yield label, variable[tuple(place.get(k, slice(None)) for k in axes)]


def _text(axis: h5py.Dataset, k: int) -> str:
    if h5py.check_string_dtype(axis.dtype):
        return str(axis.asstr()[k])
    return f"{axis[k]:g} {axis.attrs['units']}"
