"""Cut the bundled coastline of California out of Natural Earth's 1:10 million land polygons.

    npm pack world-atlas@2.0.2 && tar xf world-atlas-2.0.2.tgz package/land-10m.json
    python docs/make_coastlines.py package/land-10m.json

Natural Earth is in the public domain; world-atlas packs its version 4.1 as TopoJSON, rounded to
0.0036 degrees of longitude and 0.0017 of latitude.
"""

import json
import sys
from pathlib import Path

import numpy as np

import cgmgm_seis
from cgmgm_seis.scenario.coastlines import COASTLINE_FILE, COVERAGE


def main(path: Path) -> None:
    """Write the lines inside `COVERAGE` into the package, NaN between them."""
    topology = json.loads(path.read_text())
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    west, east, south, north = COVERAGE
    rows = []
    for arc in topology["arcs"]:
        longitude, latitude = (np.cumsum(arc, axis=0) * scale + offset).T
        inside = (longitude > west) & (longitude < east) & (latitude > south) & (latitude < north)
        # Every run of points inside is a line.
        ends = np.flatnonzero(np.diff(np.r_[False, inside, False].astype(int)))
        for first, last in ends.reshape(-1, 2):
            points = zip(longitude[first:last], latitude[first:last], strict=True)
            rows += [f"{x:.4f},{y:.4f}" for x, y in points]
            rows.append("nan,nan")
    target = Path(cgmgm_seis.__file__).parent / "data" / COASTLINE_FILE
    target.write_text("\n".join(["longitude_deg,latitude_deg", *rows[:-1]]) + "\n")
    print(f"{target}: {len(rows)} points, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
