"""Ground-motion fields for OpenQuake's scenario calculations with `gmfs_file` and `sites_csv`.

The columns are ``site_id, event_id, gmv_<IMT> ..`` and ``custom_site_id, lon, lat``; a site's
number is its row in the second file.  The engine can also match sites by name, but searches all
fields for each site, which takes days for a million nodes.  PGA and SA are in g, PGV in cm/s.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.measures.intensity import GRAVITY

GMF_FILE, SITES_FILE = "gmf_data.csv", "sitemesh.csv"
# The engine truncates longer site names.
LONGEST_NAME = 8
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
    """

    def __init__(self, folder: Path, nodes: Nodes, measures: Measures) -> None:
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
        self.fields: TextIO = (self.folder / GMF_FILE).open("w")
        self.sites: TextIO = (self.folder / SITES_FILE).open("w")
        self.fields.write(self.header + "\n")
        self.sites.write("custom_site_id,lon,lat\n")
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
        rows = zip(
            names, table["station_longitude_deg"], table["station_latitude_deg"], strict=True
        )
        self.sites.writelines(f"{name},{lon:.5f},{lat:.5f}\n" for name, lon, lat in rows)
        for site, node in enumerate(motion, first):
            self.fields.writelines(
                f"{site},{event},{','.join(f'{value:.5E}' for value in numbers)}\n"
                for event, numbers in enumerate(node.tolist())
            )


def site_names(network: Iterable[str], code: Iterable[str], first: int) -> list[str]:
    """Return names of at most 8 characters: codes for virtual nodes, otherwise numbers.

    Examples
    --------
    >>> site_names(["SY", "BK"], ["A0001", "BKS"], 7)
    ['A0001', 'n8']
    """
    return [
        station if own == "SY" and len(station) <= LONGEST_NAME else f"n{first + k}"
        for k, (own, station) in enumerate(zip(network, code, strict=True))
    ]
