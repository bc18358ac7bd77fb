"""Answers of the page of the service: a record section, a map of PGV and an archive of files."""

import tempfile
import zipfile
from collections.abc import Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes, grid_nodes
from cgmgm_seis.grid.page_content import colours, measure_entry, packed, places
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.models.conditions import inside_range
from cgmgm_seis.output.outputs import write_outputs
from cgmgm_seis.output.pages import fill_page, map_parts, script_data, web_file
from cgmgm_seis.output.plots import plot_record_section
from cgmgm_seis.output.provenance import provenance, trained_on
from cgmgm_seis.scenario.geography import KM_PER_DEGREE, wrapped_longitude
from cgmgm_seis.scenario.sources import DEFAULT_DEPTH_KM, DEFAULT_ORIGIN_TIME
from cgmgm_seis.serve.limits import Limits
from cgmgm_seis.serve.syngine_request import Wanted

# The map of PGV: rows and columns, and half its height and width, km.
SHAPE, HALF_KM = (28, 28), 70.0
# Records of the map that are in memory at a time.
AT_ONCE = 250
# Beyond these latitudes a map of longitudes and latitudes has no sense.
MOST_NORTH = 85.0


def record_section(wanted: Wanted) -> bytes:
    """Draw the records of a request and return their record section as PNG."""
    model, scenario = wanted.model, wanted.scenario
    figure = plot_record_section(
        model.generate(scenario, seed=wanted.seed),
        scenario,
        model.onsets(scenario),
        label=f"{model.name}, weights {model.weights_name} (trained on {trained_on(model.card)})",
    )
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def pgv_map(wanted: Wanted, n_realizations: int) -> dict[str, Any]:
    """Draw records at nodes around the epicentre and return the median of their PGV.

    Returns
    -------
    dict
        ``latitude`` and ``longitude`` of the rows and columns; ``data``, ln PGV (m/s) packed by
        `cgmgm_seis.grid.page_content.packed`, NaN at the ``left_out`` nodes that are outside the
        ranges of the model.
    """
    model = wanted.model
    earthquake = wanted.scenario.filter(regex="^source_").iloc[:1]
    nodes = nodes_around(
        float(earthquake["source_latitude_deg"].iloc[0]),
        float(earthquake["source_longitude_deg"].iloc[0]),
    )
    scenario = nodes.scenario(earthquake, 0, len(nodes))
    inside = np.ones(len(nodes), bool)
    for column, limits in model.ranges.items():
        if column in scenario:
            inside &= inside_range(scenario, column, limits)
    measures = Measures(model.component_order, model.sampling_rate, ("pgv",))
    ln_pgv = np.full(len(nodes), np.nan, np.float32)
    rows, step = np.flatnonzero(inside), max(1, AT_ONCE // n_realizations)
    for first in range(0, len(rows), step):
        part = rows[first : first + step]
        records = model.sample(
            scenario.iloc[part].reset_index(drop=True), n_realizations, wanted.seed
        )
        ln_pgv[part] = np.median(measures(records)[..., 0], axis=1)
    return {
        "latitude": nodes.latitude[:: SHAPE[1]].tolist(),
        "longitude": nodes.unwrapped_longitude[: SHAPE[1]].tolist(),
        "data": packed(ln_pgv),
        "left_out": int((~inside).sum()),
    }


def nodes_around(latitude: float, longitude: float) -> Nodes:
    """Return the nodes of the map of PGV around an epicentre, degrees."""
    latitude = float(np.clip(latitude, -MOST_NORTH, MOST_NORTH))
    high = HALF_KM / KM_PER_DEGREE
    wide = high / np.cos(np.radians(latitude))
    west, east = (wrapped_longitude(longitude + sign * wide) for sign in (-1.0, 1.0))
    return grid_nodes((west, east, latitude - high, latitude + high), SHAPE)


def archive(wanted: Wanted) -> bytes:
    """Draw the records of a request and return a zip archive of what ``generate`` writes."""
    model, scenario = wanted.model, wanted.scenario
    buffer = BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(buffer, "w") as packed_files:
        written = write_outputs(
            Path(folder) / "records",
            model.generate(scenario, seed=wanted.seed),
            scenario,
            provenance(model, scenario, n_realizations=1, seed=wanted.seed),
            arrivals=model.onsets(scenario),
        )
        for path, _ in written:
            packed_files.write(path, path.name, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


# ---- the page ------------------------------------------------------------------------------


def page_html(
    models: Mapping[str, GroundMotionModel], stations: pd.DataFrame, limits: Limits
) -> str:
    """Return the page, with the weights and the stations of the service.

    Parameters
    ----------
    models : mapping
        Model by the name that requests give.
    stations : pandas.DataFrame
        Receivers that can be chosen by their codes.
    limits : Limits
        The largest request that is answered.
    """
    entries = [_model_entry(name, model, stations) for name, model in models.items()]
    west, east, south, north = np.array([entry["region"] for entry in entries]).T
    around = places(np.r_[south, north], np.r_[west, east])
    content = {
        "models": entries,
        "stations": [
            {"network": network, "station": station, "latitude": latitude, "longitude": longitude}
            for network, station, latitude, longitude in zip(
                stations["station_network_code"],
                stations["station_code"],
                stations["station_latitude_deg"],
                stations["station_longitude_deg"],
                strict=True,
            )
        ],
        "depth": DEFAULT_DEPTH_KM,
        "originTime": str(DEFAULT_ORIGIN_TIME),
        "realizations": [
            n for n in (1, 5, 10, 20) if n * SHAPE[0] * SHAPE[1] <= limits.map_records
        ],
        "bounds": around["bounds"],
        "coast": around["coast"],
        "colours": colours(),
        "pgv": measure_entry("pgv"),
    }
    return fill_page(
        "cgmgm_seis.serve",
        "page.html",
        page_style=web_file("cgmgm_seis.serve", "page.css"),
        page_script=web_file("cgmgm_seis.serve", "page.js"),
        most_stations=escape(str(limits.stations)),
        data=script_data(content),
        **map_parts(),
    )


def _model_entry(name: str, model: GroundMotionModel, stations: pd.DataFrame) -> dict[str, Any]:
    """Return what the page says of a model, and the region of its ranges, degrees."""
    region: list[float] = []
    for axis in ("longitude", "latitude"):
        known = [f"{place}_{axis}_deg" for place in ("source", "station")]
        values = np.array([model.ranges[column] for column in known if column in model.ranges])
        if not values.size:
            values = stations[f"station_{axis}_deg"].to_numpy(float)
        region += [float(values.min()), float(values.max())]
    return {
        "name": name,
        "generator": model.name,
        "version": str(model.weights_version),
        "trainedOn": trained_on(model.card),
        "ranges": model.ranges,
        "region": region,
    }
