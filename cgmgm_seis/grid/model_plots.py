"""Figures of the maps of several models: medians on one scale, ratios, standard deviations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import h5py
import numpy as np
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from cgmgm_seis.grid.plots import (
    AMPLITUDES,
    GIVEN_MODELS,
    GIVEN_PLACES,
    SCATTER,
    draw_given,
    draw_map,
    draw_source,
    drawn,
    mark_familiar,
)
from cgmgm_seis.measures.familiar_units import Measure, find_measure

RATIOS = "RdBu_r"
# Figures, and the kinds of measures in each.
GROUPS = {"fas": ("fas",), "eas": ("eas",), "peaks": ("pga", "pgv", "psa")}
# Ratios marked at the colour scale; the scale reaches at least the first of them.
MARKED_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
# Percentile of ratios and standard deviations at which their scales end: single nodes scatter.
SCALE_PERCENTILE = 98.0
PANEL_HEIGHT = 2.7  # inches

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Row:
    """One measure of all models: its name and maps by the name of the model."""

    name: str
    measure: Measure
    maps: Mapping[str, Values]


def model_figures(path: Path, title: str) -> dict[str, Figure]:
    """Plot the maps of several models in a file, one row for a measure, one column for a model.

    Parameters
    ----------
    path : pathlib.Path
        ``maps.h5``, the natural logarithms, with the dimension model.
    title : str
        Title of the figures: the earthquake.

    Returns
    -------
    dict
        Name to figure, for "fas" (last component), "eas" and "peaks": "models_fas" with the
        medians, each row on one colour scale; "models_fas_ratio" with their ratios to the first
        model; "models_fas_sigma" and "models_fas_epistemic" with standard deviations in ln units.
    """
    found: dict[str, Figure] = {}
    with h5py.File(path) as file:
        for group, kinds in GROUPS.items():
            medians, sigmas, epistemic = (
                [row for kind in kinds for row in _rows(file, kind, statistic)]
                for statistic in ("median", "sigma", "epistemic")
            )
            if len({name for row in medians for name in row.maps}) < 2:
                continue
            first = next(iter(medians[0].maps))
            name = f"models_{group}"
            found[name] = _panels(file, medians, AMPLITUDES, f"{title}; medians")
            ratios = [
                Row(f"ratio to {first}\n{row.name}", row.measure, _ratios(row.maps, first))
                for row in medians
                if first in row.maps and len(row.maps) > 1
            ]
            parts = {"ratio": (ratios, RATIOS, f"{title}; ratio of the medians to {first}")}
            text = f"{title}; standard deviation, between and within events"
            parts["sigma"] = (sigmas, SCATTER, text)
            text = f"{title}; standard deviation of the median itself (epistemic)"
            parts["epistemic"] = ([_varying(row) for row in epistemic], SCATTER, text)
            for part, (rows, colours, heading) in parts.items():
                if rows := [row for row in rows if row.maps]:
                    found[f"{name}_{part}"] = _panels(file, rows, colours, heading)
    return found


def _rows(file: h5py.File, kind: str, statistic: str) -> list[Row]:
    """Return the maps of a kind of measure; of FAS, those of the last component."""
    if f"models_ln_{kind}_{statistic}" not in file:
        return []
    values = file[f"models_ln_{kind}_{statistic}"][:]
    models = file["model"].asstr()[:]
    name = kind.upper()
    if kind == "fas":
        values, name = values[:, -1], f"FAS {file['component'].asstr()[-1]}"
    axis, unit = {"psa": ("period", "s")}.get(kind, ("frequency", "Hz"))
    names = [name]
    if kind in ("pga", "pgv"):
        values = values[:, None]
    else:
        names = [f"{name} at {value:g} {unit}" for value in file[axis][:]]
    single = statistic == "median" and file.attrs["n_realizations"] == 1
    return [
        Row(
            label,
            find_measure(kind),
            {
                str(model): drawn(own[place]) if single else own[place]
                for model, own in zip(models, values, strict=True)
                if np.isfinite(own[place]).any()
            },
        )
        for place, label in enumerate(names)
    ]


def _ratios(maps: Mapping[str, Values], first: str) -> dict[str, Values]:
    """Return the differences from the first model in ln units, of the other models."""
    return {name: values - maps[first] for name, values in maps.items() if name != first}


def _varying(row: Row) -> Row:
    """Return the maps of a row that are not the same number everywhere."""
    kept = {name: x for name, x in row.maps.items() if np.nanmax(x) - np.nanmin(x) > 1e-4}
    return Row(row.name, row.measure, kept)


def _panels(file: h5py.File, rows: Sequence[Row], colours: str, title: str) -> Figure:
    """Plot rows of maps, the maps of a row with one colour scale and contours at one set."""
    names = list(dict.fromkeys(name for row in rows for name in row.maps))
    given = file.attrs.get(GIVEN_MODELS, ())
    longitude, latitude = file["longitude"][:], file["latitude"][:]
    # Panels as wide as the map, so that there is no empty space between them.
    shape = np.ptp(longitude) * np.cos(np.radians(latitude.mean())) / max(np.ptp(latitude), 0.01)
    width = 1.9 + len(names) * (0.1 + PANEL_HEIGHT * float(np.clip(shape, 0.4, 2.0)))
    size = (max(width, 5.0), 1.0 + (PANEL_HEIGHT + 0.1) * len(rows))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(len(rows), len(names), sharex=True, sharey=True, squeeze=False)
    # Ratios of all rows have one scale; medians and standard deviations one for every row.
    widest = _reach(rows) if colours == RATIOS else 0.0
    for row, columns in zip(rows, panels, strict=True):
        limits = (-widest, widest) if colours == RATIOS else _limits(row, colours == SCATTER)
        shown = []
        for name, axes in zip(names, columns, strict=True):
            if name not in row.maps:
                axes.set_axis_off()
                continue
            measure = row.measure if colours == AMPLITUDES else None
            image = draw_map(axes, longitude, latitude, row.maps[name], colours, limits, measure)
            draw_source(axes, file.attrs)
            if name in given:
                draw_given(axes, *(file.attrs[place] for place in GIVEN_PLACES))
            axes.tick_params(labelsize=7, labelbottom=row is rows[-1])
            shown.append(axes)
        shown[0].set_ylabel("Latitude (°)", fontsize=8)
        bar = figure.colorbar(image, ax=list(columns), shrink=0.85, pad=0.01)
        if colours == RATIOS:
            _mark_ratios(bar, widest, row.name)
        elif colours == AMPLITUDES:
            mark_familiar(bar, row.measure)
            bar.set_label(f"{row.name} ({row.measure.familiar_unit})", fontsize=8)
        else:
            bar.set_label(f"sd of ln {row.name}", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    for name, axes in zip(names, panels[0], strict=True):
        unconditioned = len(given) and name not in given
        axes.set_title(f"{name}, not given records" if unconditioned else name, fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("Longitude (°)", fontsize=8)
    figure.suptitle("\n".join(wrap(title, round(13 * size[0]))), fontsize=10)
    return figure


def _limits(row: Row, robust: bool) -> tuple[float, float]:
    """Return the smallest and the largest value of all models, or two robust percentiles."""
    values = np.concatenate([x[np.isfinite(x)] for x in row.maps.values()])
    share = 100.0 - SCALE_PERCENTILE if robust else 0.0
    low, high = np.percentile(values, [share, 100.0 - share])
    return float(low), float(high)


def _reach(rows: Sequence[Row]) -> float:
    """Return the end of the scale of ratios, ln units."""
    parts = [np.abs(x[np.isfinite(x)]) for row in rows for x in row.maps.values()]
    return max(float(np.percentile(np.concatenate(parts), SCALE_PERCENTILE)), np.log(1.25))


def _mark_ratios(bar: Colorbar, widest: float, name: str) -> None:
    """Label a colour scale in ln units by ratios."""
    marks = [np.log(ratio) for ratio in MARKED_RATIOS if np.log(ratio) <= widest + 1e-9]
    bar.ax.yaxis.set_major_locator(FixedLocator([*(-mark for mark in marks), 0.0, *marks]))
    bar.ax.yaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{np.exp(x):g}"[:4] if x >= 0.0 else f"1/{np.exp(-x):.3g}")
    )
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.set_label(name, fontsize=8)
