"""Ground-motion fields for OpenQuake's scenario calculations with `gmfs_file` and `sites_csv`.

The columns are ``site_id, event_id, gmv_<IMT> ..`` and ``custom_site_id, lon, lat``; a site's
number is its row in the second file.  The engine can also match sites by name, but searches all
fields for each site, which takes days for a million nodes.  PGA and SA are in g, PGV in cm/s.
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.measures.intensity import GRAVITY
from cgmgm_seis.scenario.codes import VIRTUAL_NETWORK
from cgmgm_seis.scenario.station_epochs import station_names

GMF_FILE, SITES_FILE = "gmf_data.csv", "sitemesh.csv"
# The engine truncates longer site names.
LONGEST_NAME = 8
# The engine rounds longitudes and latitudes to five digits, and refuses sites that are then equal.
DIGITS = 5
# Added to natural logarithms to convert m/s2 to g, and m/s to cm/s.
LN_G, LN_CM_S = -np.log(GRAVITY), np.log(100.0)


class OpenQuakeFiles:
    """Write `gmf_data.csv` and `sitemesh.csv` node by node; a context manager.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the two files.
    nodes : Nodes
        The sites.
    measures : Measures
        The measures, of which PGA, PGV and PSA are written.

    Raises
    ------
    OutputError
        If two sites are at the same place.
    """

    def __init__(self, folder: Path, nodes: Nodes, measures: Measures) -> None:
        check_sites(nodes)
        self.folder, self.nodes = folder, nodes
        parts, names = measures.slices, list[str]()
        self.columns: list[int] = []
        self.offsets: list[float] = []
        for kind, offset in (("pga", LN_G), ("pgv", LN_CM_S), ("psa", LN_G)):
            if kind in parts:
                places = range(parts[kind].start, parts[kind].stop)
                self.columns += places
                self.offsets += [offset] * len(places)
                names += (
                    [f"SA({float(period)})" for period in measures.periods]
                    if kind == "psa"
                    else [kind.upper()]
                )
        self.header = ",".join(["site_id", "event_id", *(f"gmv_{name}" for name in names)])

    def __enter__(self) -> "OpenQuakeFiles":
        self.fields: TextIO = (self.folder / GMF_FILE).open("w", encoding="utf-8")
        self.sites: TextIO = (self.folder / SITES_FILE).open("w", newline="", encoding="utf-8")
        self.fields.write(self.header + "\n")
        self.site_rows = csv.writer(self.sites, lineterminator="\n")
        self.site_rows.writerow(["custom_site_id", "lon", "lat"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.fields.close()
        self.sites.close()

    def write(self, first: int, values: NDArray[np.float32]) -> None:
        """Write ln values (node, realization, series) of the nodes from `first` on."""
        table = self.nodes.table(first, first + len(values))
        names = site_names(table["station_network_code"], table["station_code"], first)
        motion = np.exp(values[..., self.columns].astype(float) + np.array(self.offsets))
        places = table[["station_longitude_deg", "station_latitude_deg"]].round(DIGITS)
        rows = zip(names, *places.to_numpy(float).T, strict=True)
        self.site_rows.writerows(
            [name, f"{lon:.{DIGITS}f}", f"{lat:.{DIGITS}f}"] for name, lon, lat in rows
        )
        for site, node in enumerate(motion, first):
            self.fields.writelines(
                f"{site},{event},{','.join(f'{value:.5E}' for value in numbers)}\n"
                for event, numbers in enumerate(node.tolist())
            )


def check_sites(nodes: Nodes) -> None:
    """Raise `OutputError` if two sites are at the same place to `DIGITS` digits.

    Raises
    ------
    OutputError
        With the names of the first two.
    """
    places = pd.DataFrame({"lon": nodes.longitude, "lat": nodes.latitude}).round(DIGITS)
    repeated = np.flatnonzero(places.duplicated())
    if len(repeated):
        again = int(repeated[0])
        first = int(np.flatnonzero((places == places.iloc[again]).all(axis=1))[0])
        one, other = (station_names(nodes.table(k, k + 1)).iloc[0] for k in (first, again))
        raise OutputError(
            f"The sites {one} and {other} are both at longitude {places['lon'][again]:.{DIGITS}f} "
            f"and latitude {places['lat'][again]:.{DIGITS}f}, where OpenQuake allows only one; "
            f"{len(repeated)} of the {len(nodes)} sites must be left out."
        )


def site_names(network: Iterable[str], code: Iterable[str], first: int) -> list[str]:
    """Return names of at most 8 characters: codes for virtual nodes, otherwise numbers.

    Examples
    --------
    >>> site_names(["SY", "BK"], ["A0001", "BKS"], 7)
    ['A0001', 'n8']
    >>> site_names(["SY", "SY"], ["=1+1", "a,b"], 0)
    ['n0', 'n1']
    """
    return [
        station if own == VIRTUAL_NETWORK and _is_name(station) else f"n{first + k}"
        for k, (own, station) in enumerate(zip(network, code, strict=True))
    ]


def _is_name(code: str) -> bool:
    """Return whether a code is a name that the engine keeps, and is no number of another site.

    Other characters would need quotes, and =, +, - and @ begin formulas in spreadsheets.
    """
    known = re.fullmatch(rf"[A-Za-z0-9][\w-]{{0,{LONGEST_NAME - 1}}}", code, re.ASCII)
    return bool(known) and not re.fullmatch(r"n\d+", code)
