"""What pages with an interactive map contain besides values: colours, units and the coast."""

import base64
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from cgmgm_seis.grid.plots import AMPLITUDES, SCATTER
from cgmgm_seis.measures.familiar_units import find_measure
from cgmgm_seis.scenario.coastlines import coastlines_in

# The map can be moved, and the coast is drawn, up to this far beyond the nodes, degrees.
MARGIN = 4.0


def places(latitude: NDArray[Any], longitude: NDArray[Any]) -> dict[str, Any]:
    """Return what a map of nodes shows first, what can be reached, and the coast there, degrees.

    Parameters
    ----------
    latitude, longitude : numpy.ndarray
        Coordinates of the nodes; longitudes may continue beyond 180 degrees.
    """
    own: list[float] = []
    for axis in (longitude, latitude):
        low, high = float(axis.min()), float(axis.max())
        pad = max(0.03 * (high - low), 0.02)
        own += [low - pad, high + pad]
    outer = [value + sign * MARGIN for value, sign in zip(own, (-1, 1, -1, 1), strict=True)]
    return {
        "region": own,
        "bounds": outer,
        "coast": [line.round(4).tolist() for line in coastlines_in(outer)],
    }


def colours() -> dict[str, list[list[int]]]:
    """Return red, green and blue of the colours of amplitudes and of standard deviations."""
    shares = np.linspace(0.0, 1.0, 64)
    return {
        kind: (matplotlib.colormaps[name](shares)[:, :3] * 255).round().astype(int).tolist()
        for kind, name in (("amplitude", AMPLITUDES), ("sigma", SCATTER))
    }


def measure_entry(kind: str, label: str = "") -> dict[str, Any]:
    """Return how values of a kind of measure are named and converted on a page."""
    measure = find_measure(kind)
    return {
        "label": f"{measure.symbol} {label}".strip(),
        "words": measure.label,
        "unit": measure.familiar_unit,
        "siUnit": measure.unit,
        "factor": measure.factor,
    }


def packed(values: NDArray[Any]) -> str:
    """Return numbers as little-endian 32-bit floats in base64."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
