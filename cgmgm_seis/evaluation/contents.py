"""What the report of an evaluation shows: figures and tables, each with a sentence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.amplitude_plots import plot_amplitude_residuals, plot_amplitudes
from cgmgm_seis.evaluation.distribution_plots import plot_pit, plot_projections
from cgmgm_seis.evaluation.highlights import section_rows
from cgmgm_seis.evaluation.maps import plot_maps
from cgmgm_seis.evaluation.measures import BOTH, main_amplitudes, main_series
from cgmgm_seis.evaluation.pick_plots import plot_picks, plot_picks_by_bin
from cgmgm_seis.evaluation.residual_plots import (
    plot_intensity_measures,
    plot_residuals_by,
    plot_scatter_by_bin,
    plot_spectral_residuals,
)
from cgmgm_seis.evaluation.residuals import FEWEST
from cgmgm_seis.evaluation.tables import Evaluation
from cgmgm_seis.evaluation.waveform_plots import plot_envelopes, plot_panels, plot_sections
from cgmgm_seis.scenario.window import Window


@dataclass(frozen=True)
class Item:
    """A figure or a table of the report, and a sentence on what it says."""

    name: str
    content: Figure | pd.DataFrame
    sentence: str


Section = tuple[str, list[Item]]


def sections(evaluation: Evaluation) -> Iterator[Section]:
    """Yield the titles of the report's sections and what they hold; empty ones are left out."""
    makers: dict[str, Callable[[Evaluation], Iterator[Item]]] = {
        "Recorded amplitudes": _amplitudes,
        "Which model is better?": _models,
        "Fourier amplitude spectra": _spectra,
        "Intensity measures": _intensity,
        "Calibration and distributions": _distributions,
        "Phase picks": _picks,
        "Waveforms": _waveforms,
        "Maps": _maps,
    }
    for title, maker in makers.items():
        if items := list(maker(evaluation)):
            yield title, items


def _models(evaluation: Evaluation) -> Iterator[Item]:
    table = evaluation.tables.get("ground_motion_models")
    if table is None:
        return
    for component in table["component"].unique():
        own = table[table["component"] == component]
        wide = own.pivot_table(
            index="generator", columns="measure", values=["bias", "sigma"], sort=False
        )
        wide.columns = wide.columns.map(" ".join)
        shares = own.groupby("generator")["extrapolated"].first().reindex(wide.index)
        wide["extrapolated"] = shares.map("{:.0%}".format, na_action="ignore")
        ends = " (BA19 begins at M 3; Vs30 is 760 m/s everywhere)" if component == BOTH else ""
        what = "both horizontals together" if component == BOTH else f"component {component}"
        yield Item(
            f"ground_motion_models_{component}",
            wide.reset_index(),
            f"Spectra of {what}: bias (predicted minus recorded) and standard deviation of the "
            "residuals, ln units, of every model on the same unseen records; both are better the "
            "nearer to zero, and a generator's prediction is the median of its realizations. "
            f"Extrapolated is the share of records outside of a model's own data{ends}.",
        )


def _amplitudes(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "amplitudes" not in tables:
        return
    table, records = tables["amplitudes"], tables["amplitude_records"]
    main = main_amplitudes(table["measure"].tolist())
    yield Item(
        "amplitudes",
        plot_amplitudes(table),
        "RotD50 of both horizontals, 5 % damped, every generator and ground-motion model on the "
        "same records. The residual is generated minus recorded, ln units: above zero a model is "
        "too strong, by a factor of two at 0.7. A right one covers 0.68 of the records.",
    )
    yield Item(
        "amplitudes_table",
        table[table["measure"].isin(main)].drop(columns="component"),
        "The main measures: bias is the mean residual, sigma its standard deviation, tau and phi "
        "its parts between and within events (restricted maximum likelihood), coverage the share "
        "of records in the 16 to 84 % band, stated tau and phi what a model says of itself; slopes "
        "are per unit of ln R and of magnitude, with standard errors (se); extrapolated is the "
        "share of records outside of a model's ranges. amplitudes.csv has all.",
    )
    for by in ("distance", "magnitude"):
        yield Item(
            f"amplitude_residuals_by_{by}",
            plot_amplitude_residuals(records, by),
            "Generated minus recorded, a dot a record, with mean and standard deviation in bins "
            f"of {by} of {FEWEST} records or more: a trend is scaling that a model does not have.",
        )
    groups = tables["amplitude_groups"]
    wide = groups[groups["measure"].isin(main)].pivot_table(
        index=["generator", "group"], columns="measure", values=["bias", "sigma"], sort=False
    )
    wide.columns = wide.columns.map(" ".join)
    counts = groups.groupby(["generator", "group"])["records"].max().reindex(wide.index)
    wide.insert(0, "records", counts)
    yield Item(
        "amplitude_groups",
        wide.reset_index(),
        "The same in groups of magnitude and hypocentral distance, and inside and outside of the "
        "ranges of each model; amplitude_groups.csv has tau, phi and coverage too.",
    )
    yield Item(
        "amplitude_maps",
        plot_maps(tables["amplitude_places"], main[-2:][0]),
        "Bias of every station (its records of all events) and of every event (its records at all "
        "stations); larger symbols have more records, amplitude_places.csv has the other measures.",
    )


def _spectra(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "measures" not in tables:
        return
    yield Item(
        "spectral_residuals",
        plot_spectral_residuals(tables["measures"]),
        "Bias, total scatter of the records about the generator's median, and its parts between "
        "and within events: where a generator varies as the records do, the dashed line of one "
        "of its realizations lies on the solid one.",
    )
    if "bins" not in tables:
        return
    for by in ("distance", "magnitude"):
        if (tables["bins"]["by"] == by).any():
            yield Item(
                f"residuals_by_{by}",
                plot_residuals_by(tables["records"], tables["bins"], by),
                f"Median of the realizations minus the record, a dot a record, with mean and "
                f"standard deviation in bins of {by}: a trend is scaling that the generator has "
                "not learnt.",
            )
    yield Item(
        "scatter_by_bin",
        plot_scatter_by_bin(tables["bins"]),
        "Scatter of the records about the generator's median in bins of distance and magnitude.",
    )


def _intensity(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "measures" not in tables:
        return
    yield Item(
        "intensity_measures",
        plot_intensity_measures(tables["measures"]),
        "Bias and scatter of peaks, 5 % damped response spectra, Arias intensity, cumulative "
        "absolute velocity and significant durations: 0.7 is a factor of two.",
    )
    table = tables["measures"]
    names = pd.MultiIndex.from_frame(table[["component", "measure"]])
    columns = ["generator", "component", "measure", "median_bias", "sigma", "coverage", "crps"]
    columns += [column for column in ("simulator_sigma",) if column in table]
    yield Item(
        "measures",
        table.loc[names.isin(main_series(names)), columns],
        "The main measures in ln units: coverage is the share of records within the 16 to 84 % "
        "band of the realizations, 0.68 where the generator is right, and CRPS measures nearness "
        "and sharpness together, the smaller the better; measures.csv has all.",
    )


def _distributions(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "pit" in tables:
        yield Item(
            "pit",
            plot_pit(tables["pit"]),
            "Where each record ranks among its realizations (PIT): flat is right, a slope is bias, "
            "a bowl is too little scatter and a hill too much.",
        )
    if "discriminator" in tables:
        yield Item(
            "discriminator",
            tables["discriminator"],
            "How well a small network tells generated from recorded, on events it was not trained "
            "on: |accuracy - 0.5| is 0.5 where it always can, guessing gives what its column says, "
            "and a small p-value says that the two are not of one law.",
        )
    if "distributions" in tables:
        yield Item(
            "distributions",
            tables["distributions"],
            "Frechet distance of the log spectrograms, in ln units a cell of time and frequency, "
            "beside what is left where recorded and generated are exchanged at random.",
        )
    if "projections" in tables:
        yield Item(
            "projections",
            plot_projections(tables["projections"], evaluation.metrics["variance_shares"]),
            "Log spectrograms, a dot a record, in the directions in which the records differ most: "
            "both colours should fill the same places.",
        )


def _picks(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "picks" not in tables:
        return
    yield Item(
        "picks",
        tables["picks"].dropna(axis=1, how="all"),
        "Share of records on which PhaseNet finds P, S and both, its median probability, and its "
        "picks against known onsets and against its own picks on the records: number, median and "
        "90th percentile of the size, in seconds.",
    )
    residuals = tables["pick_records"][["minus_onset_s", "minus_recorded_s"]]
    if residuals.notna().any(axis=None):
        yield Item(
            "pick_residuals",
            plot_picks(tables["pick_records"]),
            "Pick residuals of P, S and S minus P; what is farther out is in the outermost bins.",
        )
    if "picks_by_bin" in tables:
        yield Item(
            "picks_by_bin",
            plot_picks_by_bin(tables["picks_by_bin"]),
            "How often, how surely and how precisely phases are picked, in bins of distance and "
            "magnitude; P solid, S dashed.",
        )


def _waveforms(evaluation: Evaluation) -> Iterator[Item]:
    if not evaluation.highlights:
        return
    highlights, scenario = evaluation.highlights, evaluation.scenario
    window = Window(**evaluation.metrics["window"])
    if "highlights" in evaluation.tables:
        ranks = evaluation.tables["highlights"]
        for number, name in enumerate(ranks["generator"].unique()):
            own = ranks[ranks["generator"] == name]
            roles = dict(zip(own["role"], own["row"], strict=True))
            yield Item(
                f"panels_{number}",
                plot_panels(highlights, scenario, roles, name, window),
                f"{name}: the realization whose spectrum is nearest to its record, the one in the "
                "middle and the farthest one, each scaled by its own largest peak; numbers are "
                "peaks in µm/s.",
            )
    yield Item(
        "sections",
        plot_sections(highlights, scenario, section_rows(scenario), window),
        f"The event with most records by distance, component {window.component_order[-1]}, every "
        "trace scaled by its own peak: recorded, and one realization of every generator.",
    )
    yield Item(
        "envelopes",
        plot_envelopes(highlights, scenario, window),
        "Mean envelopes (geometric, over records) in frequency bands, of the nearest, middle and "
        "farthest third of the records: level, arrivals and decay of the coda.",
    )


def _maps(evaluation: Evaluation) -> Iterator[Item]:
    if "places" in evaluation.tables:
        yield Item(
            "maps",
            plot_maps(evaluation.tables["places"]),
            "Bias of every station (its records of all events) and of every event (its records at "
            "all stations); larger symbols have more records, and neighbours of one colour are "
            "site or source effects that the generator has not learnt.",
        )
