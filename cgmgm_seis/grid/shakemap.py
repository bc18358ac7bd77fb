"""Maps as ShakeMap's grid.xml and uncertainty.xml, which programs of loss estimation read.

The layout is that of ShakeMap 4 (https://ghsc.code-pages.usgs.gov/esi/shakemap): peaks in %g and
cm/s and intensity, a row for every node from the north-west corner eastwards, and standard
deviations of natural logarithms in the second file.  Peaks here are RotD50 of both horizontals;
ShakeMap's own are those of the larger one.  The site's Vs30 (SVEL) is unknown and left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, check_regular
from cgmgm_seis.measures.familiar_units import find_measure
from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.geography import unwrapped_longitude

GRID_FILE, UNCERTAINTY_FILE = "grid.xml", "uncertainty.xml"
KINDS = ("mmi", "pga", "pgv", "psa")
NAMESPACE = "http://earthquake.usgs.gov/eqcenter/shakemap"
SCHEMA = f"http://earthquake.usgs.gov {NAMESPACE}/xml/schemas/shakemap.xsd"
# Names of PSA have one digit before the point.
LONGEST_PERIOD_S = 10.0
# Units of the standard deviations.
LN_UNITS = {"%g": "ln(g)", "cm/s": "ln(cm/s)"}


def check_shakemap(nodes: Nodes, measures: Measures) -> None:
    """Raise an error if ShakeMap's grid cannot hold the nodes, or would hold nothing.

    Raises
    ------
    OutputError
        With the reason.
    """
    check_regular(nodes, "ShakeMap's grid.xml")
    if not set(KINDS) & set(measures.axes):
        raise OutputError(
            f"ShakeMap's grid.xml holds pga, pgv and psa, but the measures are "
            f"{', '.join(measures.axes)}."
        )


def write_shakemap(folder: Path, maps: Path, source: pd.DataFrame) -> dict[str, str]:
    """Write ``grid.xml`` with the medians, and of several realizations ``uncertainty.xml``.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the two files.
    maps : pathlib.Path
        ``maps.nc``, see `cgmgm_seis.grid.maps.MapFile`.
    source : pandas.DataFrame
        Source columns of a scenario, one row.

    Returns
    -------
    dict
        Name of the file to its description, one line.
    """
    with h5py.File(maps) as file:
        header = _header(file, source.iloc[0])
        medians, scatters = dict[str, tuple[str, Floats]](), dict[str, tuple[str, Floats]]()
        left_out = []
        for kind in KINDS:
            if f"{kind}_median" not in file:
                continue
            unit = "intensity" if kind == "mmi" else find_measure(kind).familiar_unit
            for name, place, period in _fields(file, kind):
                if period >= LONGEST_PERIOD_S:
                    left_out.append(f"{period:g} s")
                    continue
                medians[name] = unit, file[f"{kind}_median"][place]
                if kind != "mmi" and file.attrs["n_realizations"] > 1:
                    parts = [file[f"{kind}_sigma_{part}"][place] for part in ("between", "within")]
                    scatters[f"STD{name}"] = LN_UNITS[unit], np.hypot(*parts)
        places = _places(file["latitude"][:], file["longitude"][:])
    without = f", without PSA at {', '.join(left_out)}" if left_out else ""
    _write(folder / GRID_FILE, header, places, medians)
    written = {GRID_FILE: f"ShakeMap grid of {', '.join(medians)}: medians{without}"}
    if scatters:
        _write(folder / UNCERTAINTY_FILE, header, places, scatters)
        written[UNCERTAINTY_FILE] = "ShakeMap grid of standard deviations, ln units"
    return written


def psa_name(period: float) -> str:
    """Return ShakeMap's name of the PSA at a period in seconds.

    Examples
    --------
    >>> psa_name(0.3), psa_name(1.0), psa_name(0.15)
    ('PSA03', 'PSA10', 'PSA015')
    """
    whole, _, fraction = f"{period:g}".partition(".")
    return f"PSA{whole}{fraction or 0}"


def _fields(file: h5py.File, kind: str) -> list[tuple[str, tuple[int, ...], float]]:
    """Return name, place on the axes, and period (0 for peaks) of the maps of a measure."""
    if kind != "psa":
        return [(find_measure(kind).symbol, (), 0.0)]
    return [(psa_name(t), (k,), float(t)) for k, t in enumerate(file["period"][:])]


def _header(file: h5py.File, source: pd.Series) -> list[str]:
    """Return the lines that describe file, earthquake and grid."""
    latitude, longitude = file["latitude"][:], file["longitude"][:]
    identity = source["source_id"]
    # The origin time, so that the same command gives the same bytes.
    time = f"{str(source['source_origin_time'])[:19]}Z"
    origin = str(file.attrs["source"])
    west, east = unwrapped_longitude(longitude[[0, -1]], 0.0)
    grid = {
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
        "xmlns": NAMESPACE,
        "xsi:schemaLocation": SCHEMA,
        "event_id": identity,
        "shakemap_id": identity,
        "shakemap_version": 1,
        "code_version": origin,
        "process_timestamp": time,
        "shakemap_originator": "cgmgm-seis",
        "map_status": "automatic",
        "shakemap_event_type": "SCENARIO",
    }
    event = {
        "event_id": identity,
        "magnitude": f"{source['source_magnitude']:g}",
        "depth": f"{source['source_depth_km']:g}",
        "lat": f"{source['source_latitude_deg']:.6f}",
        "lon": f"{source['source_longitude_deg']:.6f}",
        "event_timestamp": time,
        "event_network": "",
        "event_description": str(file.attrs["comment"]),
    }
    specification = {
        "lon_min": f"{west:.6f}",
        "lat_min": f"{latitude[0]:.6f}",
        "lon_max": f"{east:.6f}",
        "lat_max": f"{latitude[-1]:.6f}",
        "nominal_lon_spacing": f"{np.ptp(longitude) / (len(longitude) - 1):.6f}",
        "nominal_lat_spacing": f"{np.ptp(latitude) / (len(latitude) - 1):.6f}",
        "nlon": len(longitude),
        "nlat": len(latitude),
    }
    return [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>',
        f"<shakemap_grid{_attributes(grid)}>",
        f"<event{_attributes(event)}/>",
        f"<grid_specification{_attributes(specification)}/>",
    ]


def _attributes(values: Mapping[str, Any]) -> str:
    """Return attributes of an XML element."""
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in values.items())


def _places(latitude: Floats, longitude: Floats) -> NDArray[np.float64]:
    """Return longitude and latitude of the nodes, from the north-west corner eastwards."""
    north, east = np.meshgrid(latitude[::-1], longitude, indexing="ij")
    return np.column_stack([unwrapped_longitude(east.ravel(), 0.0), north.ravel()])


def _write(
    path: Path,
    header: Sequence[str],
    places: NDArray[np.float64],
    fields: Mapping[str, tuple[str, Floats]],
) -> None:
    """Write one grid: units and maps (latitude, longitude) by the name of the field."""
    units = {"LON": "dd", "LAT": "dd"} | {name: unit for name, (unit, _) in fields.items()}
    maps = [values[::-1].ravel() for _, values in fields.values()]
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in header)
        for index, (name, unit) in enumerate(units.items(), 1):
            described = {"index": index, "name": name, "units": unit}
            file.write(f"<grid_field{_attributes(described)}/>\n")
        file.write("<grid_data>\n")
        formats = ["%.6f", "%.6f", *["%.5g"] * len(maps)]
        np.savetxt(file, np.column_stack([places, *maps]), formats)
        file.write("</grid_data>\n</shakemap_grid>\n")
