"""Draw Pleasant Hill before and after conditioning, and a station that was left out.

    python docs/figures/make_conditioned.py

The figure is written beside this script.
"""

from pathlib import Path

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from cgmgm_seis import EvolutionaryCGM
from cgmgm_seis.datasets.examples import PLEASANT_HILL
from cgmgm_seis.datasets.records import read_observed
from cgmgm_seis.evaluation.given import read_given
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.scenario.obspy_files import read_event, read_inventory
from cgmgm_seis.scenario.sources import source

REGION, SHAPE, HZ = (-122.5, -121.8, 37.55, 38.15), (60, 60), 5.0
LEFT_OUT = "NP.1844"


def main() -> None:
    """Condition and draw."""
    model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
    event = read_event(PLEASANT_HILL / "event.xml")
    inventory = read_inventory(PLEASANT_HILL / "stations.xml")
    waveforms, earthquake = PLEASANT_HILL / "waveforms", source(event=event)
    given = read_given(waveforms, earthquake, model, inventory)
    stream = read_observed(waveforms, inventory, event.preferred_origin().time)
    table = given.scenario
    codes = table["station_network_code"] + "." + table["station_code"]
    others = (codes != LEFT_OUT).to_numpy()
    conditioned = given.chosen(others).condition(model)
    nodes = grid_nodes(REGION, SHAPE)
    scenario = nodes.scenario(earthquake, 0, len(nodes))
    rcParams["axes.titlesize"] = "medium"
    figure = Figure(figsize=(11.0, 8.0), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2)
    k = round(HZ * model.n_fft / model.sampling_rate)
    maps = [
        0.5
        * own.median_spectra(scenario).waves[:, 1, :, 1:, k].sum(dim=1).mean(dim=1).log().numpy()
        for own in (model, conditioned)
    ]
    low, high = min(map(np.min, maps)), max(map(np.max, maps))
    for panel, values, title in zip(
        axes[0], maps, ("without records", "given ten of eleven stations"), strict=True
    ):
        image = panel.pcolormesh(
            nodes.longitude.reshape(SHAPE),
            nodes.latitude.reshape(SHAPE),
            values.reshape(SHAPE),
            vmin=low,
            vmax=high,
            cmap="magma_r",
        )
        places = [table[f"station_{name}_deg"] for name in ("longitude", "latitude")]
        panel.plot(*(x[others] for x in places), "k^", markeredgecolor="w")
        panel.plot(*(x[~others] for x in places), "cs", markeredgecolor="k")
        panel.plot(
            earthquake["source_longitude_deg"],
            earthquake["source_latitude_deg"],
            "*",
            color="gold",
            markeredgecolor="k",
            markersize=14,
        )
        panel.set(
            title=f"ln FAS of S at {HZ:g} Hz (m/s s), median {title}",
            xlabel="Longitude (°)",
            ylabel="Latitude (°)",
        )
        panel.xaxis.set_major_locator(MultipleLocator(0.2))
        figure.colorbar(image, ax=panel)
    one = table[~others].reset_index(drop=True)
    network, station = LEFT_OUT.split(".")
    recorded = stream.select(network=network, station=station, component="N")[0].data
    seconds = np.arange(model.n_samples) / model.sampling_rate + model.start_offset_s
    for panel, own, title in zip(
        axes[1], (model, conditioned), ("without records", "given the other stations"), strict=True
    ):
        drawn = own.sample(one, 3)[0, :, model.component_order.index("N")]
        scale = 2.0 * np.abs(recorded).max()
        panel.plot(seconds[: len(recorded)], recorded[: len(seconds)], "k", linewidth=0.6)
        for row, record in enumerate(drawn, start=1):
            panel.plot(seconds, record - row * scale, "C0", linewidth=0.6)
        panel.set(
            xlim=(-2.0, 30.0),
            ylim=(-3.8 * scale, 0.8 * scale),
            xlabel="s after the origin",
            ylabel="Velocity (m/s)",
            title=f"{LEFT_OUT}, recorded (black); drawn {title}",
        )
    figure.savefig(Path(__file__).with_name("conditioned.png"))


if __name__ == "__main__":
    main()
