"""Maps of the bias of every station and every event, and of source, site and path terms."""

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection
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
MARKERS = {"station": "^", "event": "o", "source": "o", "site": "^", "path": "D"}


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
    figure, rows = _map_panels(own.rename(columns={"bias": "value"}), ("station", "event"))
    limit = max(float(own["bias"].abs().quantile(0.95)), 0.1)
    for drawn in rows.values():
        for points in drawn:
            points.set_norm(TwoSlopeNorm(0.0, -limit, limit))
    figure.colorbar(
        points,
        ax=figure.axes,
        shrink=0.5,
        extend="both",
        label=f"Mean ln {measure}, generated $-$ recorded",
    )
    return figure


def plot_terms(terms: pd.DataFrame) -> Figure:
    """Plot maps of source, site and path terms of every model; paths are shown at their middle.

    Parameters
    ----------
    terms : pandas.DataFrame
        Table "terms" of an evaluation; the measure nearest to `MAP_FREQUENCY` is shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    frequencies = terms["measure"].str.split().str[1].astype(float)
    own = terms[(frequencies - MAP_FREQUENCY).abs() == (frequencies - MAP_FREQUENCY).abs().min()]
    # Titles have no space for what models were fitted to.
    titles = own["generator"].str.partition(",")[0]
    shown = own.rename(columns={"term": "value"}).assign(generator=titles)
    figure, rows = _map_panels(shown, ("source", "site", "path"))
    columns = len(figure.axes) // len(rows)
    for number, (kind, drawn) in enumerate(rows.items()):
        limit = max(float(own.loc[own["kind"] == kind, "term"].abs().quantile(0.95)), 0.01)
        for points in drawn:
            points.set_norm(TwoSlopeNorm(0.0, -limit, limit))
        figure.colorbar(
            points,
            ax=figure.axes[number * columns : (number + 1) * columns],
            extend="both",
            label=f"{kind} term of ln {own['measure'].iloc[0]}",
        )
    return figure


def _map_panels(
    values: pd.DataFrame, kinds: tuple[str, ...]
) -> tuple[Figure, dict[str, list[PathCollection]]]:
    """Return a figure with a row of maps for every kind, and the points drawn in each row."""
    around = middle_longitude(values["longitude_deg"])
    own = values.assign(longitude_deg=unwrapped_longitude(values["longitude_deg"], around))
    generators = generators_of(values)
    latitude, longitude = own["latitude_deg"], own["longitude_deg"]
    stretch = 1.0 / np.cos(np.deg2rad(latitude.mean()))
    half_height = max(0.54 * np.ptp(latitude), LEAST_DEG)
    half_width = max(0.54 * np.ptp(longitude), LEAST_DEG * stretch)
    width = 4.2 * float(np.clip(half_width / (half_height * stretch), 0.6, 2.0))
    size = (width * len(generators) + 1.9, 4.5 * len(kinds))
    figure, panels = new_panels(len(kinds), len(generators), size, sharex=True, sharey=True)
    # The constrained layout would not centre panels with a fixed aspect ratio.
    figure.set_layout_engine("compressed")
    middle = [0.5 * (axis.min() + axis.max()) for axis in (longitude, latitude)]
    panels[0, 0].set_xlim(middle[0] - half_width, middle[0] + half_width)
    panels[0, 0].set_ylim(middle[1] - half_height, middle[1] + half_height)
    drawn: dict[str, list[PathCollection]] = {kind: [] for kind in kinds}
    for kind, row in zip(kinds, panels, strict=True):
        for name, axes in zip(generators, row, strict=True):
            chosen = own[(own["generator"] == name) & (own["kind"] == kind)]
            drawn[kind].append(
                axes.scatter(
                    chosen["longitude_deg"],
                    chosen["latitude_deg"],
                    c=chosen["value"],
                    s=14.0 + 6.0 * np.sqrt(chosen["records"]),
                    marker=MARKERS[kind],
                    cmap="RdBu_r",
                    edgecolors="#2b2b2b",
                    linewidths=0.4,
                )
            )
            axes.set_aspect(stretch)
            axes.spines[["top", "right"]].set_visible(True)
            plot_coastlines(axes)
            title(axes, f"{kind}s: {short(name)}")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.xaxis.set_major_formatter(longitude_label)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        row[0].set_ylabel("Latitude (°)")
    for axes in panels[-1]:
        axes.set_xlabel("Longitude (°)")
    return figure, drawn
