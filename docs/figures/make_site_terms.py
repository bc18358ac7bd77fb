"""Draw the site terms of the simulated Bay Area, and where they are known.

    python docs/figures/make_site_terms.py

The figure is written beside this script.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cgmgm_seis.scenario.coastlines import plot_coastlines
from cgmgm_seis.simulator.sites import bay_area_sites, site_table

FREQUENCIES = (1.0, 4.0)
LONGITUDE, LATITUDE = (-123.1, -121.2), (36.7, 38.7)


def main() -> None:
    """Draw two terms and the known share of their variance."""
    stations, sites = site_table(), bay_area_sites()
    longitude, latitude = np.meshgrid(np.linspace(*LONGITUDE, 160), np.linspace(*LATITUDE, 200))
    terms = sites(latitude.ravel(), longitude.ravel(), FREQUENCIES).T
    known = sites.known(latitude.ravel(), longitude.ravel())
    figure = Figure(figsize=(13.0, 5.2), dpi=110, layout="constrained")
    panels = [(f"ln site term, {f:g} Hz", row) for f, row in zip(FREQUENCIES, terms, strict=True)]
    panels.append(("share of the variance that is known", known))
    for k, (title, values) in enumerate(panels):
        axes = figure.add_subplot(1, 3, k + 1)
        limits = {"vmin": -1.0, "vmax": 1.0, "cmap": "RdBu_r"} if k < 2 else {"cmap": "viridis"}
        image = axes.pcolormesh(longitude, latitude, values.reshape(latitude.shape), **limits)
        axes.plot(
            stations["station_longitude_deg"], stations["station_latitude_deg"], "k.", markersize=1
        )
        plot_coastlines(axes)
        axes.set(xlim=LONGITUDE, ylim=LATITUDE, aspect=1.25, title=title)
        figure.colorbar(image, ax=axes, shrink=0.8)
    figure.savefig(Path(__file__).with_name("site_terms.png"))


if __name__ == "__main__":
    main()
