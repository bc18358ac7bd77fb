"""Figures of one chosen record: several draws, and its spectrogram encoded and decoded."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cgmgm_seis.evaluation.chosen_record import ChosenRecord
from cgmgm_seis.evaluation.figures import colours, new_panels, short, title
from cgmgm_seis.evaluation.pick_tables import RECORDED
from cgmgm_seis.evaluation.waveform_plots import BEFORE_S, draw_waveform, end_of_panel, peak_text
from cgmgm_seis.models.reconstruction import Reconstruction
from cgmgm_seis.output.plots import COMPONENT_NAMES
from cgmgm_seis.scenario.window import Window

# Range of the colours of spectrograms, below the largest recorded value, ln units.
COLOUR_RANGE = 9.0


def plot_draws(chosen: ChosenRecord, scenario: pd.DataFrame, window: Window) -> Figure:
    """Plot a record, and below it the draws of every generator, all on one scale a component.

    Parameters
    ----------
    chosen : ChosenRecord
        The record and the draws.
    scenario : pandas.DataFrame
        Scenario table.
    window : Window
        Window of the waveforms.
    """
    lines = [(RECORDED, chosen.recorded)]
    lines += [(name, one) for name, own in chosen.draws.items() for one in own]
    order, palette = window.component_order, colours([RECORDED, *chosen.draws])
    end = end_of_panel(float(scenario["path_hyp_distance_km"].iloc[chosen.row]), window)
    figure, panels = new_panels(1, len(order), (4.3 * len(order) + 0.9, 0.75 * len(lines) + 1.2))
    for number, (component, axes) in enumerate(zip(order, panels[0], strict=True)):
        peak = max(float(np.abs(waveform[number]).max()) for _, waveform in lines)
        for line, (name, waveform) in enumerate(lines):
            base, own = -float(line), waveform[number]
            draw_waveform(axes, own, window, end, base, 0.5 / peak, palette[name])
            axes.text(
                *(0.995, base + 0.12, peak_text(own)),
                transform=axes.get_yaxis_transform(),
                ha="right",
                fontsize=7,
                color=palette[name],
            )
        axes.set_xlim(-BEFORE_S, end)
        axes.set_ylim(0.6 - len(lines), 0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("Time after origin (s)")
        title(axes, COMPONENT_NAMES.get(component, component))
    names = [short(name) for name, _ in lines]
    panels[0, 0].set_yticks(-np.arange(len(lines)), names, fontsize=8)
    panels[0, 0].tick_params(left=False)
    return figure


def plot_reconstructions(found: Mapping[str, Reconstruction], window: Window) -> Figure:
    """Plot the spectrogram of a record over its reconstruction, for every generator.

    Parameters
    ----------
    found : mapping
        Generator to the spectrograms of one record.
    window : Window
        Window of the waveforms.
    """
    order = window.component_order
    size = (3.9 * len(order) + 1.6, 3.9 * len(found) + 0.6)
    figure, panels = new_panels(2 * len(found), len(order), size, sharex=True, sharey=True)
    for number, (name, own) in enumerate(found.items()):
        rows = panels[2 * number : 2 * number + 2]
        high = float(np.nanmax(own.recorded))
        for row, word, values in zip(
            rows, (RECORDED, "reconstructed"), (own.recorded, own.reconstructed), strict=True
        ):
            for axes, spectrogram in zip(row, values[0], strict=True):
                image = axes.pcolormesh(
                    *(own.times, own.frequencies, spectrogram),
                    vmin=high - COLOUR_RANGE,
                    vmax=high,
                    cmap="magma",
                    rasterized=True,
                )
            row[0].set_ylabel(f"{short(name)}\n{word}\nFrequency (Hz)")
        bar = figure.colorbar(image, ax=list(rows.ravel()), pad=0.01)
        bar.set_label(f"ln amplitude, {own.representation}", fontsize=8)
    for component, axes in zip(order, panels[0], strict=True):
        title(axes, COMPONENT_NAMES.get(component, component))
    for axes in panels[-1]:
        axes.set_xlabel("Time after origin (s)")
    return figure
