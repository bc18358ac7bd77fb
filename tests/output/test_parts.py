"""Records written part by part: the same files as at once, and few records in memory."""

import re
import weakref

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from cgmgm_seis.models.sampling import SamplingModel
from cgmgm_seis.output.generated_parts import GeneratedParts
from cgmgm_seis.output.outputs import FORMATS, new_outputs, write_outputs
from cgmgm_seis.output.plots import SECTION_RECORDS
from cgmgm_seis.output.provenance import channel_comment, provenance
from cgmgm_seis.output.stationxml import write_stationxml
from cgmgm_seis.scenario.streams import to_inventory
from cgmgm_seis.scenario.table import from_points, spread_rows
from cgmgm_seis.storage.obspy_bytes import to_bytes
from cgmgm_seis_cli.main import main

SEED, REALIZATIONS = 5, 3


@pytest.fixture(scope="module")
def scenario():
    """Receivers of two networks, at one of which is a second receiver of its network."""
    table = from_points(4.0, (37.9, -122.1), [(37.8, -122.2), (37.7, -122.1), (38.0, -122.2)] * 2)
    return table.assign(station_network_code=["SY", "BK", "SY", "SY", "BK", "SY"])


def contents(folder):
    """Return the bytes of all files of a folder, without the time in StationXML."""
    return {
        str(path.relative_to(folder)): re.sub(rb"<Created>.*?<", b"<", path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("format", FORMATS)
def test_files_are_those_of_all_records_at_once(tiny_model, scenario, tmp_path, format):
    quantity = "acceleration" if format in ("at2", "csv") else "velocity"
    places, samples = tiny_model.window.select("EZ", 1.0, 20.0)
    arrivals = tiny_model.onsets(scenario)
    made_by = provenance(tiny_model, scenario, n_realizations=REALIZATIONS, seed=SEED)
    drawing = (scenario, REALIZATIONS, SEED)
    cut = {"components": "EZ", "start_offset_s": 1.0, "duration_s": 20.0, "quantity": quantity}
    stream = tiny_model.generate(*drawing, **cut)
    assert len(stream) == len(scenario) * REALIZATIONS * len(places)
    written = write_outputs(
        tmp_path / "whole", stream, scenario, made_by, arrivals=arrivals, format=format
    )
    tables = []
    for size in (1, 4, 7, None):
        # All of the window, from which measures are taken and the samples cut.
        parts = tiny_model.generate_parts(*drawing, components="EZ", part_records=size)
        generated = GeneratedParts(scenario, arrivals, samples, quantity, {0, 4})
        with new_outputs(tmp_path / f"{size}", scenario, format=format) as outputs:
            outputs.write_waveforms(generated.records(parts, periods=[0.3]), quantity)
            outputs.write_metadata(made_by)
        tables.append(generated.measures.to_csv(float_format="%.9g"))
        assert contents(tmp_path / f"{size}") == contents(tmp_path / "whole")
        assert [text for _, text in outputs.written] == [text for _, text in written]
        shown = generated.shown([0, 4])
        velocity = tiny_model.generate(*drawing, **cut | {"quantity": "velocity"})
        for row, first in ((0, 0), (4, 4 * REALIZATIONS * 2)):
            own = shown.stream[2 * (row > 0) :][:2]
            assert [t.id for t in own] == [t.id for t in velocity[first : first + 2]]
            assert all(
                (a.data == b.data).all() for a, b in zip(own, velocity[first:], strict=False)
            )
    assert len(set(tables)) == 1


def test_stationxml_is_obspys(tiny_model, scenario, tmp_path):
    """Also of codes that XML must escape, and of places whose numbers are written differently."""
    scenario = scenario.assign(
        station_code=["A", "<b> & \"c\" 'd'", "{x}", "1.2", r"\1", "ü"],
        station_elevation_m=[0.0, -12.5, 1e-5, 1234.0, 3.0, 4.0],
    )
    stream = tiny_model.generate(scenario, 2)
    comment = channel_comment(provenance(tiny_model, scenario, n_realizations=2, seed=0))
    expected = to_inventory(stream, comment, gain=3.0)
    first = to_inventory(stream[:12], comment, gain=3.0)
    first.created = expected.created
    write_stationxml(tmp_path / "stations.xml", first, scenario)
    assert (tmp_path / "stations.xml").read_bytes() == to_bytes(expected, "STATIONXML")


@pytest.mark.parametrize("format", ["mseed", "sac", "csv"])
def test_one_part_is_in_memory_beside_the_next(tiny_weights, tmp_path, monkeypatch, format):
    """Every Trace of a part is gone when the part after the next is drawn."""
    drawn, most = [], []
    generate_parts = SamplingModel.generate_parts

    def watched(*args, **kwargs):
        for rows, stream in generate_parts(*args, **kwargs, part_records=2):
            drawn.append(weakref.ref(stream[0].data.base))
            most.append(sum(array() is not None for array in drawn))
            yield rows, stream

    monkeypatch.setattr(SamplingModel, "generate_parts", watched)
    places = [part for k in range(14) for part in ("--sta", f"{37.8 - 0.01 * k},-122.2")]
    command = ["--weights", tiny_weights, "--mag", 4, "--src", "37.9,-122.1", "--format", format]
    result = CliRunner().invoke(
        main, ["generate", *map(str, command), *places, "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert len(most) == 7
    assert max(most) <= 2


def test_a_section_of_many_records_says_that_it_shows_some(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("cgmgm_seis.output.plots.SECTION_RECORDS", 3)
    labels = []
    monkeypatch.setattr(
        "cgmgm_seis.output.plots.plot_record_section",
        lambda stream, *_, label: labels.append((len(stream), label)) or Figure(),
    )
    for number in (3, 5):
        places = [part for k in range(number) for part in ("--sta", f"{37.8 - 0.01 * k},-122.2")]
        command = ["generate", "--weights", str(tiny_weights), "--mag", "4", "--src", "37.9,-122.1"]
        out = ["--no-measures", "--out", str(tmp_path / f"{number}")]
        result = CliRunner().invoke(main, [*command, *places, *out])
        assert result.exit_code == 0, result.output
    assert [length for length, _ in labels] == [9, 9]
    assert "records" not in labels[0][1]
    assert labels[1][1].endswith("; 3 of 5 records")
    assert SECTION_RECORDS >= 100


def test_rows_are_spread_over_the_distances():
    table = from_points(
        4.0, (37.9, -122.1), [(37.9 - 0.01 * (k * 7 % 50), -122.1) for k in range(50)]
    )
    rows = spread_rows(table, 5)
    distances = table["path_ep_distance_km"].to_numpy()
    assert distances[rows[0]] == distances.min()
    assert distances[rows[-1]] == distances.max()
    assert (abs(np.diff(distances[rows]) - distances.max() / 4) < 1.2).all()
    assert spread_rows(table, 100).tolist() == distances.argsort(kind="stable").tolist()
