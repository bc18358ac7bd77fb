"""Records shown in figures: best, median and worst fit, one event, and mean envelopes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal.windows import tukey

from cgmgm_seis.scenario.arrays import Floats
from cgmgm_seis.scenario.spans import Spans

ENVELOPE_BANDS = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0))  # Hz
ENVELOPE_STEP_S = 0.5
TAPER_S = 1.5
N_DISTANCES = 3
SECTION_RECORDS = 24
BLOCK_RECORDS = 64


@dataclass(frozen=True)
class Highlights:
    """Waveforms and envelopes of a generator, or of the records, that are shown in figures.

    Parameters
    ----------
    waveforms : dict
        Row of the scenario to velocity waveforms (component, sample), m/s.
    envelopes : numpy.ndarray
        See `envelopes`.
    """

    waveforms: dict[int, NDArray[np.float32]]
    envelopes: Floats


def ranked(recorded: Floats, generated: Floats, places: NDArray[np.intp]) -> dict[str, int]:
    """Return the rows with the best, the median and the worst fit of the spectrum.

    Parameters
    ----------
    recorded, generated : numpy.ndarray
        Natural logarithms of one realization, shape (record, series).
    places : numpy.ndarray
        Indices of the series of the spectrum.

    Returns
    -------
    dict
        "best", "median" and "worst" to the row, by the rms of the residuals of the spectrum.

    Examples
    --------
    >>> ranked(np.zeros((3, 1)), np.array([[0.5], [-0.1], [2.0]]), np.array([0]))
    {'best': 1, 'median': 0, 'worst': 2}
    """
    rms = np.sqrt(((generated - recorded)[:, places] ** 2).mean(axis=1))
    order = np.argsort(rms, kind="stable")
    places_in_order = {"best": 0, "median": (len(order) - 1) // 2, "worst": -1}
    return {role: int(order[place]) for role, place in places_in_order.items()}


def section_rows(scenario: pd.DataFrame) -> list[int]:
    """Return rows of the event with most records, one per station, ordered by distance.

    At most `SECTION_RECORDS` are returned, evenly spread over the order.
    """
    event = scenario["source_id"].astype(str).value_counts().sort_index(kind="stable").idxmax()
    own = scenario[scenario["source_id"].astype(str) == event].sort_values("path_hyp_distance_km")
    own = own.drop_duplicates(["station_network_code", "station_code"])
    places = np.linspace(0, len(own) - 1, min(len(own), SECTION_RECORDS)).round().astype(int)
    return [int(row) for row in own.index[places]]


def distance_thirds(scenario: pd.DataFrame) -> tuple[NDArray[np.intp], Floats]:
    """Return which third by distance every record belongs to, and the edges of the thirds, km."""
    distances = scenario["path_hyp_distance_km"].to_numpy(float)
    edges = np.quantile(distances, np.linspace(0.0, 1.0, N_DISTANCES + 1))
    return np.clip(np.searchsorted(edges[1:-1], distances, side="right"), 0, N_DISTANCES - 1), edges


def envelopes(
    waveforms: NDArray[np.float32], spans: Spans, sampling_rate: float, groups: NDArray[np.intp]
) -> Floats:
    """Return the mean log envelope of groups of records in frequency bands.

    Parameters
    ----------
    waveforms : numpy.ndarray
        Velocity, m/s, shape (record, component, sample).
    spans : numpy.ndarray
        Valid spans, (record, 2); a record counts at times at least `TAPER_S` inside its span.
    sampling_rate : float
        Sampling rate, Hz.
    groups : numpy.ndarray
        Group of every record, 0 to `N_DISTANCES` - 1, shape (record,).

    Returns
    -------
    numpy.ndarray
        Mean over records of ln of the rms over all components, in `ENVELOPE_BANDS` and in steps
        of `ENVELOPE_STEP_S`, shape (group, band, time); NaN where a group has no records.
    """
    n_samples = waveforms.shape[-1]
    width = round(ENVELOPE_STEP_S * sampling_rate)
    n_times = n_samples // width
    frequencies = rfftfreq(n_samples, 1.0 / sampling_rate)
    # Taper the ends, where a step would appear in every band; figures leave them out.
    taper = tukey(n_samples, 2.0 * TAPER_S * sampling_rate / n_samples)
    sums = np.zeros((N_DISTANCES, len(ENVELOPE_BANDS), n_times))
    begins, margin = np.arange(n_times) * width, TAPER_S * sampling_rate
    first_valid = np.where(spans[:, 0] > 0, spans[:, 0] + margin, 0)
    last_valid = np.where(spans[:, 1] < n_samples, spans[:, 1] - margin, n_samples)
    valid = (begins >= first_valid[:, None]) & (begins + width <= last_valid[:, None])
    for first in range(0, len(waveforms), BLOCK_RECORDS):
        block = slice(first, first + BLOCK_RECORDS)
        spectra = rfft(waveforms[block] * taper)
        for number, (low, high) in enumerate(ENVELOPE_BANDS):
            inside = (frequencies >= low) & (frequencies < high)
            filtered = irfft(spectra * inside, n_samples)[..., : n_times * width]
            power = (filtered**2).mean(axis=1).reshape(-1, n_times, width).mean(axis=-1)
            logarithms = 0.5 * np.log(np.maximum(power, np.finfo(float).tiny))
            np.add.at(sums[:, number], groups[block], np.where(valid[block], logarithms, 0.0))
    counts = np.zeros((N_DISTANCES, n_times))
    np.add.at(counts, groups, valid)
    with np.errstate(invalid="ignore"):
        means: Floats = sums / counts[:, None]
    return means
