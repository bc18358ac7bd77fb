"""Make the bundled coastlines of Natural Earth's land polygons: California and the world.

    npm pack world-atlas@2.0.2 && tar xf world-atlas-2.0.2.tgz
    python docs/make_coastlines.py package

California is 1:10 million, everything else 1:110 million.  Natural Earth is in the public domain;
world-atlas packs its version 4.1 as TopoJSON, rounded to 0.0036 degrees of longitude and 0.0017
of latitude.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cgmgm_seis
from cgmgm_seis.scenario.coastlines import CALIFORNIA_FILE, COVERAGE, WORLD_FILE

# Polygons are closed along the date line and around the South Pole, where there is no coast.
DATE_LINE, POLE = 179.98, -89.9
STEP = 0.01  # degrees between points at which a line of the world is cut

Line = NDArray[np.float64]


def main(folder: Path) -> None:
    """Write both files into the package."""
    detailed = [
        part for line in lines(folder / "land-10m.json") for part in runs(line, both(inside(line)))
    ]
    write(CALIFORNIA_FILE, detailed, 4)
    coarse = (
        part for line in lines(folder / "land-110m.json") for part in runs(line, ~both(edge(line)))
    )
    write(WORLD_FILE, [part for line in coarse for part in outside_california(line)], 2)


def lines(path: Path) -> Iterator[Line]:
    """Yield the arcs of a TopoJSON file: longitude and latitude, degrees."""
    topology = json.loads(path.read_text())
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    for arc in topology["arcs"]:
        longitude, latitude = (np.cumsum(arc, axis=0) * scale + offset).T
        # Points on the date line are at -180 degrees, on whichever side their neighbours are.
        longitude = np.unwrap(longitude, period=360.0)
        yield np.column_stack([longitude - 360.0 * round(longitude.mean() / 360.0), latitude])


def inside(line: Line) -> NDArray[np.bool_]:
    """Return which points are in the region of the detailed coast."""
    west, east, south, north = COVERAGE
    x, y = line.T
    return (x > west) & (x < east) & (y > south) & (y < north)


def edge(line: Line) -> NDArray[np.bool_]:
    """Return which points are on the edges of the map of the world."""
    return (np.abs(line[:, 0]) > DATE_LINE) | (line[:, 1] < POLE)


def both(points: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return between which points and their successors something is true of both."""
    return points[1:] & points[:-1]


def runs(line: Line, between: NDArray[np.bool_]) -> Iterator[Line]:
    """Yield the runs of points of a line that may be connected with their successors."""
    ends = np.flatnonzero(np.diff(np.r_[False, between, False].astype(int)))
    for first, last in ends.reshape(-1, 2):
        yield line[first : last + 1]


def outside_california(line: Line) -> Iterator[Line]:
    """Yield the parts of a line outside the region of the detailed coast, cut at its edges."""
    if not inside(line).any():
        yield line
        return
    position = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
    fine = np.union1d(position, np.arange(0.0, position[-1], STEP))
    dense = np.column_stack([np.interp(fine, position, axis) for axis in line.T])
    given = set(map(tuple, line))
    for part in runs(dense, both(~inside(dense))):
        # Keep the ends, and of the others those that were points of the line before.
        between = [point for point in map(tuple, part[1:-1]) if point in given]
        yield np.array([part[0], *between, part[-1]])


def write(name: str, parts: Iterable[Line], digits: int) -> None:
    """Write lines as a table, NaN between them."""
    rows = []
    for part in parts:
        rows += [f"{x:.{digits}f},{y:.{digits}f}" for x, y in part]
        rows.append("nan,nan")
    target = Path(cgmgm_seis.__file__).parent / "scenario" / "data" / name
    target.write_text("\n".join(["longitude_deg,latitude_deg", *rows[:-1]]) + "\n")
    print(f"{target}: {len(rows)} rows, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
