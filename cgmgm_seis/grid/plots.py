"""Figures of a map file: spectra, scatter and peaks at the nodes, and a movie of the wavefield."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any

import h5py
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray
from PIL import Image

from cgmgm_seis.grid.job import MOVIE_STEP_S, GridJob
from cgmgm_seis.grid.smoothing import smooth_part
from cgmgm_seis.measures.familiar_units import Measure, find_measure
from cgmgm_seis.measures.macroseismic_intensity import mmi
from cgmgm_seis.scenario.coastlines import plot_coastlines
from cgmgm_seis.scenario.geography import longitude_label, unwrapped_longitude
from cgmgm_seis.scenario.stations import bay_area_stations

AMPLITUDES, SCATTER = "magma_r", "viridis"
N_CONTOURS = 8
# Numbers at a colour scale, in every decade: the first that give enough of them.
SCALE_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), tuple(np.arange(1.0, 10.0, 0.5)))
LEAST_MARKS = 3
MOVIE_MS = 100
# Attributes of a map file: stations whose records the model is conditioned on, degrees.
GIVEN_PLACES = ("given_latitude_deg", "given_longitude_deg")
# Attribute with the names of the models that are conditioned on these records.
GIVEN_MODELS = "given_models"
# Colours of the movie cover this many decades below the largest velocity.
MOVIE_DECADES = 3.5

# A map: its title, its values as they are in the file, and their measure; None of ln units.
Layer = tuple[str, NDArray[Any], Measure | None]


def map_figures(path: Path, title: str) -> dict[str, Figure]:
    """Plot the maps in a file; of a single realization on a grid, its smooth part.

    Parameters
    ----------
    path : pathlib.Path
        ``maps.h5``, the natural logarithms.
    title : str
        Title of the figures: the earthquake and the model.

    Returns
    -------
    dict
        Name to figure: "map_spectra", "map_peaks" and, with at least 2 realizations, "map_sigma".
    """
    with h5py.File(path) as file:
        spectra, peaks = _spectra(file, "median"), _peaks(file)
        sigmas: list[Layer] = [
            (f"ln {name}, {word}", values, None)
            for statistic, word in (
                ("sigma_between", "between events"),
                ("sigma_within", "within events"),
            )
            for name, values, _ in _spectra(file, statistic)
            if np.isfinite(values).any()
        ]
        medians = f"{title}; medians"
        if file.attrs["n_realizations"] == 1:
            medians = f"{title}; without the noise of single nodes"
            spectra, peaks = (
                [(name, drawn(x), measure) for name, x, measure in own] for own in (spectra, peaks)
            )
        peaks = _with_intensity(peaks)
        groups: dict[str, tuple[list[Layer], str, str]] = {
            "map_spectra": (spectra, AMPLITUDES, medians),
            "map_peaks": (peaks, AMPLITUDES, medians),
            "map_sigma": (sigmas, SCATTER, title),
        }
        return {
            name: _panels(file, layers, colours, heading)
            for name, (layers, colours, heading) in groups.items()
            if layers
        }


def drawn(values: NDArray[Any]) -> NDArray[Any]:
    """Return what is drawn of a single realization: on a grid (latitude, longitude), smooth."""
    return smooth_part(values) if values.ndim == 2 else values


def _spectra(file: h5py.File, statistic: str) -> list[Layer]:
    """Return maps of EAS at every frequency, or else of FAS of the last component."""
    frequencies = file["frequency"][:] if "frequency" in file else []
    for kind in ("eas", "fas"):
        if f"ln_{kind}_{statistic}" in file:
            measure, name = find_measure(kind), f"ln_{kind}_{statistic}"
            values = file[name][:] if kind == "eas" else file[name][-1]
            component = "" if kind == "eas" else f" {file['component'].asstr()[-1]}"
            return [
                (f"{measure.symbol}{component} at {f:g} Hz", own, measure)
                for f, own in zip(frequencies, values, strict=True)
            ]
    return []


def _peaks(file: h5py.File) -> list[Layer]:
    """Return maps of the medians of PGA, PGV and PSA."""
    measures = (find_measure(kind) for kind in ("pga", "pgv"))
    layers: list[Layer] = [
        (measure.symbol, file[f"ln_{measure.name}_median"][:], measure)
        for measure in measures
        if f"ln_{measure.name}_median" in file
    ]
    if "ln_psa_median" in file:
        psa = find_measure("psa")
        layers += [
            (f"PSA at {t:g} s", file["ln_psa_median"][k], psa)
            for k, t in enumerate(file["period"][:])
        ]
    return layers


def _with_intensity(layers: list[Layer]) -> list[Layer]:
    """Return maps of peaks with the intensity first, of PGV if there is a map of it, or of PGA."""
    motion = {measure.name: np.exp(values) for _, values, measure in layers if measure}
    kind = next((kind for kind in ("pgv", "pga") if kind in motion), None)
    if kind is None:
        return layers
    symbol = find_measure("mmi").symbol
    return [(f"{symbol} of {kind.upper()}", mmi(**{kind: motion[kind]}), None), *layers]


def _panels(file: h5py.File, layers: list[Layer], colours: str, title: str) -> Figure:
    """Plot one map per layer, with familiar units at its colour scale."""
    columns = 3 if len(layers) in (3, 5, 6, 9) else min(len(layers), 4)
    rows = -(-len(layers) // columns)
    width = 1.0 + 3.6 * columns
    figure = Figure(figsize=(width, 0.9 + 3.9 * rows), dpi=150, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.ravel()[len(layers) :]:
        axes.set_visible(False)
    for (name, values, measure), axes in zip(layers, panels.ravel(), strict=False):
        image = draw_map(
            *(axes, file["longitude"][:], file["latitude"][:], values, colours), measure=measure
        )
        draw_source(axes, file.attrs)
        if GIVEN_PLACES[0] in file.attrs:
            draw_given(axes, *(file.attrs[name] for name in GIVEN_PLACES))
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
        if measure:
            mark_familiar(bar, measure)
        axes.set_title(f"{name} ({measure.familiar_unit})" if measure else name, fontsize=9)
    for axes in panels.ravel()[: len(layers)][-columns:]:
        axes.set_xlabel("Longitude (°)")
        axes.tick_params(labelbottom=True)
    for axes in panels[:, 0]:
        axes.set_ylabel("Latitude (°)")
    figure.suptitle("\n".join(wrap(title, round(13 * width))), fontsize=10)
    return figure


def draw_map(
    axes: Axes,
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    values: NDArray[Any],
    colours: str,
    limits: tuple[float, float] | None = None,
    measure: Measure | None = None,
) -> Any:
    """Plot values on a grid (latitude, longitude) with contours, or at stations as dots.

    Contours are those of the smooth part of the values, see `smooth_part`, at equal steps between
    the limits, which are by default the smallest and the largest value.  Values of a measure are
    its natural logarithms, and contours are labelled in its familiar unit.
    """
    image: Any
    finite = values[np.isfinite(values)]
    low, high = limits or ((finite.min(), finite.max()) if len(finite) else (0.0, 1.0))
    scale: dict[str, Any] = {"cmap": colours, "vmin": low, "vmax": high}
    if values.ndim == 2:
        image = axes.pcolormesh(longitude, latitude, values, rasterized=True, **scale)
        # No contours for scatter, which is noisy.
        if colours == AMPLITUDES and high > low:
            smooth = smooth_part(values)
            levels = np.linspace(low, high, N_CONTOURS + 2)[1:-1]
            levels = levels[(levels > np.nanmin(smooth)) & (levels < np.nanmax(smooth))]
            lines = axes.contour(
                longitude, latitude, smooth, levels, colors="k", linewidths=0.4, linestyles="solid"
            )
            shown = "%.1f" if measure is None else partial(_familiar_text, measure=measure)
            axes.clabel(lines, fontsize=5, fmt=shown)
    else:
        image = axes.scatter(
            longitude, latitude, 14, values, edgecolors="k", linewidths=0.3, **scale
        )
    draw_background(axes, (*_limits(longitude), *_limits(latitude)))
    return image


def mark_familiar(bar: Colorbar, measure: Measure) -> None:
    """Label the colour scale of logarithms of SI values in the familiar unit of a measure."""
    low, high = (float(measure.familiar_of_ln(end)) for end in bar.ax.get_ylim())
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1.0)
    for steps in SCALE_STEPS:
        marks = np.outer(decades, steps).ravel()
        marks = marks[(marks >= low) & (marks <= high)]
        if len(marks) >= LEAST_MARKS:
            break
    bar.ax.yaxis.set_major_locator(FixedLocator(np.log(marks / measure.factor).tolist()))
    bar.ax.yaxis.set_major_formatter(
        FuncFormatter(lambda ln_value, _: _familiar_text(ln_value, measure))
    )
    bar.ax.yaxis.set_minor_locator(NullLocator())


def _familiar_text(ln_value: float, measure: Measure) -> str:
    """Return the logarithm of an SI value as a number of familiar units, two digits."""
    return f"{float(measure.familiar_of_ln(ln_value)):.2g}"


def draw_background(axes: Axes, region: Sequence[float]) -> None:
    """Plot coastlines and seismic stations in a region (west, east, south, north)."""
    plot_coastlines(axes, above=True)
    west, east, south, north = region
    stations = bay_area_stations()
    inside = stations["station_longitude_deg"].between(west, east)
    inside &= stations["station_latitude_deg"].between(south, north)
    axes.plot(
        stations["station_longitude_deg"][inside],
        stations["station_latitude_deg"][inside],
        "^",
        color="white",
        markeredgecolor="k",
        markersize=3.5,
        markeredgewidth=0.5,
    )
    axes.xaxis.set_major_formatter(longitude_label)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect(1.0 / np.cos(np.radians(0.5 * (south + north))))


def draw_source(axes: Axes, source: Mapping[str, Any] | pd.Series) -> None:
    """Plot the epicentre on a map whose limits are set."""
    axes.plot(
        unwrapped_longitude(source["source_longitude_deg"], float(np.mean(axes.get_xlim()))),
        source["source_latitude_deg"],
        "*",
        color="gold",
        markeredgecolor="k",
        markersize=13,
    )


def draw_given(axes: Axes, latitude: NDArray[Any], longitude: NDArray[Any]) -> None:
    """Plot the stations whose records the model is conditioned on, within the limits of a map."""
    shown = unwrapped_longitude(longitude, float(np.mean(axes.get_xlim())))
    axes.plot(
        shown,
        latitude,
        "^",
        color="k",
        markeredgecolor="w",
        markersize=5.5,
        scalex=False,
        scaley=False,
    )


def _limits(degrees: NDArray[np.float64]) -> tuple[float, float]:
    """Return the limits of an axis, which differ even if all values are equal."""
    low, high = float(degrees.min()), float(degrees.max())
    return (low, high) if high > low else (low - 0.01, high + 0.01)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure without creation date, so that the same figure gives the same bytes."""
    if engine := figure.get_layout_engine():
        # Once: for every file, the layout would be computed again, and all drawn twice.
        engine.execute(figure)
        figure.set_layout_engine("none")
    figure.savefig(path, metadata={"CreationDate": None} if path.suffix == ".pdf" else None)


# ---- the movie -------------------------------------------------------------------------------


def write_movie(path: Path, job: GridJob, envelope: NDArray[np.float32], title: str) -> int:
    """Write the envelope of ground velocity over time as an animated GIF.

    Parameters
    ----------
    path : pathlib.Path
        The ``.gif`` file to write; with another suffix, a folder of PNG images.
    job : GridJob
        The job.
    envelope : numpy.ndarray
        Largest absolute velocity in every step, m/s, (node, step).
    title : str
        Title of the images.

    Returns
    -------
    int
        Number of images.
    """
    frames = _frames(job, envelope, title)
    if path.suffix == ".gif":
        images = [
            image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256) for image in frames
        ]
        images[0].save(path, save_all=True, append_images=images[1:], duration=MOVIE_MS, loop=0)
        return len(images)
    path.mkdir()
    count = 0
    for count, image in enumerate(frames, start=1):
        image.save(path / f"frame_{count - 1:04d}.png")
    return count


def _frames(job: GridJob, envelope: NDArray[np.float32], title: str) -> Iterator[Image.Image]:
    """Yield one image per step, from the origin time on."""
    largest = float(envelope.max()) or 1.0
    norm = LogNorm(largest / 10.0**MOVIE_DECADES, largest, clip=True)
    figure = Figure(figsize=(5.2, 5.6), dpi=90, layout="constrained")
    axes = figure.subplots()
    nodes = job.nodes
    longitude, latitude = nodes.unwrapped_longitude, nodes.latitude
    image: Any
    if nodes.shape is not None:
        longitude, latitude = longitude[: nodes.shape[1]], latitude[:: nodes.shape[1]]
        shown = envelope[:, 0].reshape(nodes.shape)
        image = axes.pcolormesh(longitude, latitude, shown, norm=norm, cmap=AMPLITUDES)
    else:
        image = axes.scatter(longitude, latitude, 20, envelope[:, 0], norm=norm, cmap=AMPLITUDES)
    draw_background(axes, (*_limits(longitude), *_limits(latitude)))
    draw_source(axes, job.source.iloc[0])
    axes.set_xlabel("Longitude (°)")
    axes.set_ylabel("Latitude (°)")
    figure.colorbar(image, ax=axes, shrink=0.8, label="Largest velocity (m/s)")
    figure.suptitle("\n".join(wrap(title, 70)), fontsize=7)
    text = axes.set_title("0 s after the origin", fontsize=10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Keep the layout: computing it takes most of the time of an image.
    figure.set_layout_engine("none")
    first = max(0, int(-job.model.start_offset_s // MOVIE_STEP_S))
    for step in range(first, envelope.shape[1]):
        image.set_array(envelope[:, step])
        time = job.model.start_offset_s + (step + 1) * MOVIE_STEP_S
        text.set_text(f"{time:.1f} s after the origin")
        canvas.draw()
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
