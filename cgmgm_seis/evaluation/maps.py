"""Maps of the bias of every station and every event."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cgmgm_seis.evaluation.figures import (
    MAP_FREQUENCY,
    generators_of,
    main_of,
    new_panels,
    short,
    title,
)
from cgmgm_seis.scenario.coastlines import plot_coastlines
from cgmgm_seis.scenario.geography import longitude_label, middle_longitude, unwrapped_longitude

# Minimum of half the height of a map, degrees of latitude, so that the coastline is recognisable.
LEAST_DEG = 0.3


def plot_maps(places: pd.DataFrame, measure: str | None = None) -> Figure:
    """Plot maps of the bias of every station and every event, continuous across the date line.

    Parameters
    ----------
    places : pandas.DataFrame
        Table "places" or "amplitude_places" of an evaluation.
    measure : str, optional
        The measure; by default the main spectrum at `MAP_FREQUENCY`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if measure is None:
        measure = f"{main_of(places)[1]} {MAP_FREQUENCY:g} Hz"
    own = places[places["measure"] == measure]
    around = middle_longitude(own["longitude_deg"])
    own = own.assign(longitude_deg=unwrapped_longitude(own["longitude_deg"], around))
    generators = generators_of(places)
    kinds = ("station", "event")
    latitude, longitude = own["latitude_deg"], own["longitude_deg"]
    stretch = 1.0 / np.cos(np.deg2rad(latitude.mean()))
    half_height = max(0.54 * np.ptp(latitude), LEAST_DEG)
    half_width = max(0.54 * np.ptp(longitude), LEAST_DEG * stretch)
    width = 4.2 * float(np.clip(half_width / (half_height * stretch), 0.6, 2.0))
    figure, panels = new_panels(
        len(kinds), len(generators), (width * len(generators) + 1.9, 9.0), sharex=True, sharey=True
    )
    # The constrained layout would not centre panels with a fixed aspect ratio.
    figure.set_layout_engine("compressed")
    middle = [0.5 * (values.min() + values.max()) for values in (longitude, latitude)]
    panels[0, 0].set_xlim(middle[0] - half_width, middle[0] + half_width)
    panels[0, 0].set_ylim(middle[1] - half_height, middle[1] + half_height)
    limit = max(float(own["bias"].abs().quantile(0.95)), 0.1)
    norm = TwoSlopeNorm(0.0, -limit, limit)
    for which, row in zip(kinds, panels, strict=True):
        for name, axes in zip(generators, row, strict=True):
            chosen = own[(own["generator"] == name) & (own["kind"] == which)]
            drawn = axes.scatter(
                chosen["longitude_deg"],
                chosen["latitude_deg"],
                c=chosen["bias"],
                s=14.0 + 6.0 * np.sqrt(chosen["records"]),
                marker="^" if which == "station" else "o",
                cmap="RdBu_r",
                norm=norm,
                edgecolors="#2b2b2b",
                linewidths=0.4,
            )
            axes.set_aspect(stretch)
            axes.spines[["top", "right"]].set_visible(True)
            plot_coastlines(axes)
            title(axes, f"{which}s: {short(name)}")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.xaxis.set_major_formatter(longitude_label)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        row[0].set_ylabel("Latitude (°)")
    for axes in panels[-1]:
        axes.set_xlabel("Longitude (°)")
    figure.colorbar(
        drawn,
        ax=panels,
        shrink=0.5,
        extend="both",
        label=f"Mean ln {measure}, generated $-$ recorded",
    )
    return figure
