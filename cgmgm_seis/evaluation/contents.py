"""Contents of the report of an evaluation: figures and tables, each with a caption."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.amplitude_plots import plot_amplitude_residuals, plot_amplitudes
from cgmgm_seis.evaluation.distribution_plots import plot_pit, plot_projections
from cgmgm_seis.evaluation.generator_picks import LACKING
from cgmgm_seis.evaluation.highlights import section_rows
from cgmgm_seis.evaluation.maps import plot_maps, plot_terms
from cgmgm_seis.evaluation.measures import BOTH, main_amplitudes, main_series
from cgmgm_seis.evaluation.pick_plots import plot_picks, plot_picks_by_bin
from cgmgm_seis.evaluation.record_plots import plot_draws, plot_reconstructions
from cgmgm_seis.evaluation.residual_plots import (
    plot_intensity_measures,
    plot_residuals_by,
    plot_scatter_by_bin,
    plot_spectral_residuals,
)
from cgmgm_seis.evaluation.residuals import FEWEST
from cgmgm_seis.evaluation.structure_plots import (
    plot_frequency_correlations,
    plot_hv,
    plot_scaling,
    plot_semivariograms,
)
from cgmgm_seis.evaluation.structure_terms import FEWEST_RECORDS
from cgmgm_seis.evaluation.tables import Evaluation
from cgmgm_seis.evaluation.waveform_plots import plot_envelopes, plot_panels, plot_sections
from cgmgm_seis.scenario.window import Window


@dataclass(frozen=True)
class Item:
    """A figure or a table of the report, and its caption."""

    name: str
    content: Figure | pd.DataFrame
    sentence: str


Section = tuple[str, list[Item]]


def sections(evaluation: Evaluation) -> Iterator[Section]:
    """Yield the titles and contents of the report's sections; empty ones are left out."""
    makers: dict[str, Callable[[Evaluation], Iterator[Item]]] = {
        "Recorded amplitudes": _amplitudes,
        "Which model is better?": _models,
        "Fourier amplitude spectra": _spectra,
        "Intensity measures": _intensity,
        "Calibration and distributions": _distributions,
        "Phase picks": _picks,
        "Waveforms": _waveforms,
        "Maps": _maps,
        "Learned structure": _structure,
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
        ends = " (BA19 starts at M 3; Vs30 is 760 m/s everywhere)" if component == BOTH else ""
        what = "both horizontals together" if component == BOTH else f"component {component}"
        yield Item(
            f"ground_motion_models_{component}",
            wide.reset_index(),
            f"Spectra of {what}: bias (predicted minus recorded) and standard deviation of the "
            "residuals, in ln units, of every model for the same records, unseen in training; "
            "values closer to zero are better. A generator's prediction is the median of its "
            f"realizations. Extrapolated is the share of records outside a model's data{ends}.",
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
        "RotD50 of both horizontals, 5 % damped, for every generator and ground-motion model and "
        "the same records. Residuals are generated minus recorded in ln units: positive values "
        "mean that a model overpredicts, by a factor of two at 0.7. The ideal coverage is 0.68.",
    )
    yield Item(
        "amplitudes_table",
        table[table["measure"].isin(main)].drop(columns="component"),
        "The main measures: bias is the mean residual, sigma the standard deviation, tau and phi "
        "its parts between and within events (restricted maximum likelihood), coverage the share "
        "of records in the 16 to 84 % band, stated tau and phi are those predicted by the model; "
        "slopes are per unit of ln R and of magnitude, with standard errors (se); extrapolated is "
        "the share of records outside a model's ranges. All measures are in amplitudes.csv.",
    )
    for by in ("distance", "magnitude"):
        yield Item(
            f"amplitude_residuals_by_{by}",
            plot_amplitude_residuals(records, by),
            "Generated minus recorded, one dot per record, with mean and standard deviation in "
            f"bins of {by} with at least {FEWEST} records: a trend shows scaling that the model "
            "does not reproduce.",
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
        "The same in groups of magnitude and hypocentral distance, and inside and outside the "
        "ranges of each model; tau, phi and coverage are in amplitude_groups.csv.",
    )
    yield Item(
        "amplitude_maps",
        plot_maps(tables["amplitude_places"], main[-2:][0]),
        "Bias of every station (its records of all events) and of every event (its records at all "
        "stations); larger symbols have more records. Other measures are in amplitude_places.csv.",
    )


def _spectra(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "measures" not in tables:
        return
    yield Item(
        "spectral_residuals",
        plot_spectral_residuals(tables["measures"]),
        "Bias, total scatter of the records about the generator's median, and its parts between "
        "and within events: if a generator has the scatter of the records, the dashed line (one "
        "realization) agrees with the solid line (records).",
    )
    if "bins" not in tables:
        return
    for by in ("distance", "magnitude"):
        if (tables["bins"]["by"] == by).any():
            yield Item(
                f"residuals_by_{by}",
                plot_residuals_by(tables["records"], tables["bins"], by),
                f"Median of the realizations minus the record, one dot per record, with mean and "
                f"standard deviation in bins of {by}: a trend shows scaling that the generator has "
                "not learned.",
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
        "absolute velocity and significant durations, in ln units: 0.7 is a factor of two.",
    )
    table = tables["measures"]
    names = pd.MultiIndex.from_frame(table[["component", "measure"]])
    columns = ["generator", "component", "measure", "median_bias", "sigma", "coverage", "crps"]
    columns += [column for column in ("simulator_sigma",) if column in table]
    yield Item(
        "measures",
        table.loc[names.isin(main_series(names)), columns],
        "The main measures in ln units: coverage is the share of records within the 16 to 84 % "
        "band of the realizations, ideally 0.68; CRPS measures accuracy and sharpness together, "
        "and lower is better. All measures are in measures.csv.",
    )


def _distributions(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "pit" in tables:
        yield Item(
            "pit",
            plot_pit(tables["pit"]),
            "Rank of each record among its realizations (probability integral transform, PIT): a "
            "flat histogram is ideal, a slope means bias, a U shape means too little scatter and "
            "a hump too much.",
        )
    if "discriminator" in tables:
        yield Item(
            "discriminator",
            tables["discriminator"],
            "How well a small network separates generated from recorded waveforms, for events not "
            "used to train it: |accuracy - 0.5| is 0.5 if it is always right, the column guessing "
            "is the value expected from guessing, and a small p-value means that generated and "
            "recorded waveforms follow different distributions.",
        )
    if "distributions" in tables:
        yield Item(
            "distributions",
            tables["distributions"],
            "Frechet distance between the log spectrograms, in ln units per cell of time and "
            "frequency, and the distance by chance, with recorded and generated exchanged at "
            "random.",
        )
    if "projections" in tables:
        yield Item(
            "projections",
            plot_projections(tables["projections"], evaluation.metrics["variance_shares"]),
            "Log spectrograms, one dot per record, projected on the directions of largest "
            "variation of the records: both colours should cover the same area.",
        )


def _picks(evaluation: Evaluation) -> Iterator[Item]:
    tables = evaluation.tables
    if "picks" not in tables:
        return
    lacking = evaluation.metrics["not_available"].get(LACKING)
    yield Item(
        "picks",
        tables["picks"].dropna(axis=1, how="all"),
        "Share of records on which PhaseNet picks P, S and both, the median probability, and the "
        "residuals of picks relative to known onsets and to picks on the records: number, median "
        "and 90th percentile of the absolute value, in seconds."
        + (f" PhaseNet needs three components: {lacking}." if lacking else ""),
    )
    residuals = tables["pick_records"][["minus_onset_s", "minus_recorded_s"]]
    if residuals.notna().any(axis=None):
        yield Item(
            "pick_residuals",
            plot_picks(tables["pick_records"]),
            "Pick residuals of P, S and S minus P; larger values are in the outermost bins.",
        )
    if "picks_by_bin" in tables:
        yield Item(
            "picks_by_bin",
            plot_picks_by_bin(tables["picks_by_bin"]),
            "Share picked, probability and residual of phase picks, in bins of distance and "
            "magnitude; P solid, S dashed.",
        )


def _waveforms(evaluation: Evaluation) -> Iterator[Item]:
    if not evaluation.highlights:
        return
    highlights, scenario = evaluation.highlights, evaluation.scenario
    window = Window(**evaluation.metrics["window"])
    yield from _chosen_record(evaluation, window)
    if "highlights" in evaluation.tables:
        ranks = evaluation.tables["highlights"]
        for number, name in enumerate(ranks["generator"].unique()):
            own = ranks[ranks["generator"] == name]
            roles = dict(zip(own["role"], own["row"], strict=True))
            yield Item(
                f"panels_{number}",
                plot_panels(highlights, scenario, roles, name, window),
                f"{name}: the realizations with the best, the median and the worst fit to the "
                "spectrum of the record, each scaled by its largest peak; numbers are peaks in "
                "µm/s.",
            )
    yield Item(
        "sections",
        plot_sections(highlights, scenario, section_rows(scenario), window),
        f"The event with most records by distance, component {window.component_order[-1]}, each "
        "trace scaled by its peak: records, and one realization of every generator.",
    )
    yield Item(
        "envelopes",
        plot_envelopes(highlights, scenario, window),
        "Geometric mean envelopes in frequency bands, for the nearest, middle and farthest third "
        "of the records: compare level, arrivals and decay of the coda.",
    )


def _chosen_record(evaluation: Evaluation, window: Window) -> Iterator[Item]:
    chosen, scenario = evaluation.chosen, evaluation.scenario
    if chosen is None:
        return
    place = scenario.iloc[chosen.row]
    what = (
        f"Record of event {place['source_id']} (M {place['source_magnitude']:.1f}) at "
        f"{place['station_network_code']}.{place['station_code']}, "
        f"{place['path_hyp_distance_km']:.0f} km"
    )
    yield Item(
        "record_draws",
        plot_draws(chosen, scenario, window),
        f"{what}, and draws of every generator for the same scenario, one earthquake each. A "
        "component has one scale; numbers are peaks in µm/s.",
    )
    if chosen.reconstructions:
        yield Item(
            "record_reconstructions",
            plot_reconstructions(chosen.reconstructions, window),
            f"{what}: its spectrogram as a generator represents it, and below it the same encoded "
            "to the mean of the latents and decoded. What is lost here, no draw can have. "
            "EvolutionaryCGM decodes the expected power, which has no speckle.",
        )


def _maps(evaluation: Evaluation) -> Iterator[Item]:
    if "places" in evaluation.tables:
        yield Item(
            "maps",
            plot_maps(evaluation.tables["places"]),
            "Bias of every station (its records of all events) and of every event (its records at "
            "all stations); larger symbols have more records, and neighbours with the same colour "
            "indicate site or source effects that the generator has not learned.",
        )


def _structure(evaluation: Evaluation) -> Iterator[Item]:
    yield from _terms(evaluation.tables)
    tables = evaluation.tables
    if "semivariograms" in tables:
        yield Item(
            "semivariograms",
            plot_semivariograms(tables["semivariograms"], tables["semivariogram_fits"]),
            "Semivariance of residuals of two records of one event, which does not contain the "
            "event term: of the records about each model (filled), and of one realization about "
            "the others (open). If a generator has learned how neighbouring stations are alike, "
            "its dashed line agrees with its solid one.",
        )
        wide = tables["semivariogram_fits"].pivot_table(
            index=["generator", "residuals"],
            columns="measure",
            values=["range_km", "sill"],
            sort=False,
        )
        wide.columns = wide.columns.map(" ".join)
        yield Item(
            "semivariogram_fits",
            wide.reset_index(),
            "Range at which 95 % of the increase is reached, km, and sill, ln units squared; a "
            "range of 0 means that no increase with distance can be told from chance. Nuggets are "
            "in semivariogram_fits.csv.",
        )
    if "frequency_correlations" in tables:
        yield Item(
            "frequency_correlations",
            plot_frequency_correlations(tables["frequency_correlations"]),
            "Correlation of total residuals between frequencies, of the records, of one "
            "realization, and of Bayless & Abrahamson (published for California). Smoothing of the "
            "spectra (Konno-Ohmachi, b = 20) raises the correlation of neighbouring frequencies "
            "above that of the publication, whose spectra are smoothed less.",
        )
    if "scaling" in tables:
        yield Item(
            "scaling",
            plot_scaling(tables["scaling"]),
            "Medians for virtual receivers of a few sources of the data, the same for all models: "
            "against magnitude at the median distance, and against hypocentral distance at the "
            "median magnitude of the records. Dotted lines are outside of a model's ranges. "
            "Published models are for a Vs30 of 760 m/s. All measures are in scaling.csv.",
        )
    if "hv_ratios" in tables:
        yield Item(
            "hv_ratios",
            plot_hv(tables["hv_ratios"], tables["hv_peaks"]),
            "H/V (EAS of both horizontals over FAS of the vertical, whole records), geometric mean "
            "of the records of a station, and of the medians of the realizations for the same "
            "records. A peak at an end of the band is not counted.",
        )
        yield Item(
            "hv_summary",
            tables["hv_summary"],
            "Generated minus recorded ln H/V over stations and frequencies; its correlation after "
            "the mean of all stations is removed, which shows whether a model knows single "
            "stations; and the same for ln peak frequency.",
        )


def _terms(tables: Mapping[str, pd.DataFrame]) -> Iterator[Item]:
    if "terms" not in tables:
        return
    yield Item(
        "terms",
        plot_terms(tables["terms"]),
        "Source, site and path terms: the prediction of each model for the records, about its own "
        "scaling with magnitude, distance and depth, divided into parts common to an event, to a "
        "station, and the rest. All models are taken apart in the same way. The prediction of a "
        "generator is the median of its realizations, which adds random scatter, mostly to path "
        "terms; the simulated truth is the simulator's spectrum without scatter.",
    )
    if "term_correlations" in tables:
        wide = tables["term_correlations"].pivot_table(
            index=["generator", "against", "kind", "terms"],
            columns="measure",
            values="correlation",
            sort=False,
        )
        yield Item(
            "term_correlations",
            wide.reset_index(),
            f"Correlation of these terms, for events, stations and paths with {FEWEST_RECORDS} "
            "records or more; standard deviations are in term_correlations.csv.",
        )
