"""`cgmgm-seis generate`: files, messages, and what bad input gets."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import obspy
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from obspy.core.event import Catalog, Event, Magnitude, Origin
from seisbench.data import WaveformDataset

from cgmgm_seis.output import outputs
from cgmgm_seis.scenario.table import from_event_and_inventory
from cgmgm_seis_cli.main import main
from cgmgm_seis_cli.values import Point


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def provenance(folder="cgmgm-output"):
    return json.loads((Path(folder) / "provenance.json").read_text())


SOURCE = ("--mag", "4.1", "--src", "37.9,-122.1")


@pytest.fixture
def run(tiny_weights, tmp_path, monkeypatch):
    """Run `generate` in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def invoke(*args, weights=tiny_weights):
        args = ("generate", "--weights", str(weights), *map(str, args))
        return CliRunner().invoke(main, args, prog_name="cgmgm-seis")

    return invoke


def refused(result, status, *texts):
    """Check a refusal: status, one line on stderr that names the texts, nothing written."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    for text in texts:
        assert text in result.stderr
    assert names(".") == []


# ---- lat,lon -------------------------------------------------------------------------------


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_points_round_trip(latitude, longitude):
    assert Point().convert(f"{latitude!r},{longitude!r}", None, None) == (latitude, longitude)


@given(st.text(max_size=20))
def test_points_parse_or_fail_with_one_sentence(text):
    try:
        latitude, longitude = Point().convert(text, None, None)
    except click.BadParameter as error:
        assert repr(text)[1:-1] in repr(error.message)[1:-1] or text in error.message
    else:
        assert abs(latitude) <= 90
        assert abs(longitude) <= 180


@given(st.floats(90, 180, exclude_min=True), st.sampled_from([-1, 1]), st.floats(-90, 90))
def test_swapped_points_are_recognised(longitude, sign, latitude):
    with pytest.raises(click.BadParameter, match="looks swapped"):
        Point().convert(f"{sign * longitude!r},{latitude!r}", None, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-122,37", "perhaps 37,-122 is meant"),
        ("37.9", "is not a latitude,longitude"),
        ("37.9;-122.1", "is not a latitude,longitude"),
        ("37.9,-122.1,8", "is not a latitude,longitude"),
        ("nan,-122", "is not finite"),
        ("37,inf", "is not finite"),
        ("95,200", "is outside the allowed range"),
    ],
)
@pytest.mark.parametrize("option", ["--src", "--sta"])
def test_bad_points(run, option, text, says):
    points = {"--src": "37.9,-122.1", "--sta": "37.8,-122.2", option: text}
    arguments = [part for pair in points.items() for part in pair]
    refused(run("--mag", "4", *arguments), 2, option, text, says)


# ---- files ---------------------------------------------------------------------------------


def test_default_output(run):
    result = run(*SOURCE)
    assert result.exit_code == 0, result.output
    expected = {"waveforms.mseed", "stations.xml", "events.xml", "provenance.json"}
    assert set(names("cgmgm-output")) == expected | {"record_section.png", "measures.csv"}
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("cgmgm-output/") and ": " in line for line in lines)
    made_by = provenance()
    n_stations = len(made_by["scenario"])
    assert f"Using {n_stations} of the 58 bundled stations" in result.stderr
    assert 20 < n_stations < 58
    assert all(row["path_ep_distance_km"] <= 60 for row in made_by["scenario"])
    assert made_by["command"][:2] == ["cgmgm-seis", "generate"]
    assert made_by["command"][-2:] == ["--src", "37.9,-122.1"]
    assert made_by["scenario"][0]["source_depth_km"] == 8.0


def test_same_seed_same_file_and_negative_numbers(run):
    options = (*SOURCE, "--sta", "37.8,-122.2", "--sta", "37.7,-122.1", "--no-plot", "-n", "2")
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(*options, "--seed", seed, "--out", out).exit_code == 0
    a, b, c = (Path(out, "waveforms.mseed").read_bytes() for out in "abc")
    assert a == b
    assert a != c
    stream = obspy.read("a/waveforms.mseed")
    assert len(stream) == 2 * 2 * 3
    assert {trace.stats.location for trace in stream} == {"00", "01"}


def test_southern_hemisphere_parses(run):
    result = run("--mag", "4", "--src", "-33.4,-70.6", "--sta", "-33.5,-70.7")
    refused(result, 1, "source_latitude_deg = -33.4", "36.5 to 39")


def test_formats_and_quiet(run):
    options = (*SOURCE, "--sta", "37.8,-122.2", "--no-plot", "-q")
    result = run(*options, "--format", "sac", "--out", "sac")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert len(names("sac/sac")) == 3
    assert run(*options, "--format", "seisbench", "--out", "bench").exit_code == 0
    assert len(WaveformDataset("bench", component_order="ZNE")) == 1


def test_events_as_networks_publish_them(run, tmp_path):
    """ComCat's identifier, a local magnitude and no depth: none of it is changed in silence."""
    (tmp_path / "event.xml").write_text(
        '<q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" '
        'xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"><eventParameters publicID="smi:x/y">'
        '<event publicID="quakeml:us/query?eventid=nc73201181&amp;format=quakeml">'
        '<origin publicID="smi:x/o"><time><value>2019-10-15T05:33:42.81Z</value></time>'
        "<latitude><value>37.9</value></latitude><longitude><value>-122.1</value></longitude>"
        '</origin><magnitude publicID="smi:x/m"><mag><value>4.1</value></mag><type>ML</type>'
        "</magnitude></event></eventParameters></q:quakeml>"
    )
    options = ("--event", tmp_path / "event.xml", "--sta", "37.8,-122.2", "--no-plot")
    result = run(*options, "--out", "a")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("magnitudes of the type ML (1)") == 1
    assert result.stderr.count("without depth get 8 km") == 1
    event = obspy.read_events("a/events.xml")[0]
    assert str(event.resource_id).endswith("/nc73201181")
    assert event.preferred_magnitude().magnitude_type == "ML"
    assert event.preferred_origin().depth == 8000.0
    made_by = provenance("a")
    assert made_by["scenario"][0]["source_magnitude_type"] == "ML"
    assert "ML (1)" in made_by["warnings"][0]
    assert "nc73201181 ML 4.1" in Path("a/stations.xml").read_text()
    # A given magnitude is a moment magnitude.
    result = run(*options, "--mag", "4.2", "--out", "b")
    assert "magnitudes of the type" not in result.stderr
    assert obspy.read_events("b/events.xml")[0].magnitudes[0].magnitude_type == "Mw"


def test_event_and_overrides(run, pleasant_hill):
    event = pleasant_hill / "event.xml"
    options = ("--event", event, "--sta", "37.8,-122.2", "--no-plot")
    assert run(*options, "--out", "a").exit_code == 0
    result = run(*options, "--mag", "3.3", "--depth", "5", "--time", "2020-02-02", "--out", "b")
    assert result.exit_code == 0, result.output
    a, b = (obspy.read_events(f"{out}/events.xml")[0] for out in "ab")
    assert a.preferred_magnitude().mag == 4.46
    assert a.preferred_origin().depth == 13970.0
    assert str(a.preferred_origin().time) == "2019-10-15T05:33:42.810000Z"
    assert b.preferred_magnitude().mag == 3.3
    assert b.preferred_origin().depth == 5000.0
    assert str(b.preferred_origin().time).startswith("2020-02-02T00:00")
    assert b.preferred_origin().latitude == 37.938


def test_stations_of_a_file_are_the_points_of_the_command_line(run, tmp_path):
    path = tmp_path / "sites.csv"
    path.write_text("Latitude;Longitude;Elev (m)\n37.8;-122.2;12\n37.7;-122.1;\n")
    options = (*SOURCE, "--no-plot", "--seed", 3)
    assert run(*options, "--stations", path, "--out", "a").exit_code == 0
    assert (
        run(*options, "--sta", "37.8,-122.2", "--sta", "37.7,-122.1", "--out", "b").exit_code == 0
    )
    a, b = (obspy.read(f"{out}/waveforms.mseed") for out in "ab")
    assert [trace.stats.station for trace in a[::3]] == ["A0000", "A0001"]
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.data, two.data)
    assert [row["station_elevation_m"] for row in provenance("a")["scenario"]] == [12.0, 0.0]


def test_stations_are_where_they_were_at_the_time_of_the_event(run, tmp_path):
    """A station that moved, and one that opened later; -q prints what is left out."""
    path = tmp_path / "stations.txt"
    path.write_text(
        "#Network|Station|Latitude|Longitude|Elevation|SiteName|StartTime|EndTime\n"
        "NC|CTA|37.8|-122.2|10|a|2000-01-01T00:00:00|2021-01-01T00:00:00\n"
        "NC|CTA|38.1|-122.2|10|a|2021-01-01T00:00:00|\nNC|NEW|37.9|-122.2|10|b|2022-05-01T00:00:00|\n"
    )

    def latitudes():
        (network,) = obspy.read_inventory("cgmgm-output/stations.xml")
        return {station.code: station.latitude for station in network}

    for option in ("--inventory", "--stations"):
        places = (*SOURCE, option, path, "--no-plot", "--overwrite", "-q")
        result = run(*places, "--time", "2019-10-15")
        assert result.exit_code == 0, result.output
        assert latitudes() == {"CTA": 37.8}
        assert "1 of 2 stations are left out (not open at 2019-10-15T00:00" in result.stderr
        result = run(*places)
        assert latitudes() == {"CTA": 38.1, "NEW": 37.9}
        assert "No event time is given: the last epoch is used" in result.stderr
        shutil.rmtree("cgmgm-output")
        refused(run(*places, "--time", "1990-01-01"), 1, "None of the 2 station(s)", "not open")


def test_a_file_of_stations_without_a_latitude(run, tmp_path):
    path = tmp_path / "sites.csv"
    path.write_text("station,lat,lon\nBKS,37.8,-122.2\nJFP,,-122.1\n")
    refused(
        run(*SOURCE, "--stations", path), 1, "sites.csv, line 3", "station_latitude_deg", "missing"
    )


def test_real_case(run, pleasant_hill):
    raw = pleasant_hill / "raw"
    result = run(
        "--event", pleasant_hill / "event.xml", "--inventory", raw / "*.xml",
        "--observed", raw / "CE.583*.mseed", "--observed", raw / "NC.C*A*.mseed",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "cgmgm-output/generated_and_observed.png" in result.stdout
    assert "Resampled to 100 Hz: CE.58360..HN (200 Hz)" in result.stderr
    stream = obspy.read("cgmgm-output/waveforms.mseed")
    inventory = obspy.read_inventory("cgmgm-output/stations.xml")
    assert len(stream) == 33
    scenario = from_event_and_inventory(obspy.read_events("cgmgm-output/events.xml")[0], inventory)
    original = pd.DataFrame(provenance()["scenario"])
    pd.testing.assert_frame_equal(scenario, original, rtol=1e-9)


def test_extrapolation_is_a_warning_in_the_provenance(run):
    options = ("--mag", "5.5", "--src", "37.9,-122.1", "--sta", "37.8,-122.2", "--no-plot")
    refused(run(*options), 1, "source_magnitude = 5.5", "1 to 5", "--extrapolate")
    result = run(*options, "--extrapolate")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0].startswith("Warning: source_magnitude = 5.5")
    assert lines[1].startswith("Warning: The PGA generated for M 5.5 is")
    assert lines == [f"Warning: {warning}" for warning in provenance()["warnings"]]


def test_magnitudes_far_outside_need_a_limit(run):
    options = ("--mag", "7", "--src", "37.9,-122.1", "--sta", "37.8,-122.2", "--no-plot")
    for too_little in ((), ("--extrapolate",), ("--extrapolate-magnitude", "1.5")):
        refused(run(*options, *too_little), 1, "source_magnitude = 7", "--extrapolate-magnitude 2 ")
    result = run(*options, "--extrapolate-magnitude", 2)
    assert result.exit_code == 0
    assert provenance()["settings"]["extrapolate"] == 2.0


def test_quantities_are_cut_from_whole_records(run):
    """Also displacement, whose filter needs what is before the part."""
    options = (*SOURCE, "--sta", "37.8,-122.2", "--no-plot", "-q", "--components", "EZ")
    for quantity in ("acceleration", "displacement"):
        options = (*options, "--quantity", quantity)
        assert run(*options, "--out", f"whole-{quantity}").exit_code == 0
        part = run(*options, "--start", 10, "--duration", 20, "--out", f"part-{quantity}")
        assert part.exit_code == 0
        whole, part = (
            obspy.read(f"{name}-{quantity}/waveforms.mseed") for name in ("whole", "part")
        )
        for trace, other in zip(whole, part, strict=True):
            assert other.id == trace.id
            assert other.stats.starttime == trace.stats.starttime + 15.0
            np.testing.assert_array_equal(other.data, trace.data[1500:3500])
    tables = [pd.read_csv(path) for path in Path().glob("*/measures.csv")]
    assert len(tables) == 4
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    assert "E_cav_mps" in tables[0] and "pga_mps2" not in tables[0]


def test_text_and_periods(run):
    options = (*SOURCE, "--sta", "37.8,-122.2", "--no-plot", "-q")
    refused(run(*options, "--format", "at2", "--quantity", "velocity"), 2, "acceleration")
    assert run(*options, "--format", "at2", "--out", "a", "--periods", "0.25,3,0.25").exit_code == 0
    assert names("a/at2")[0] == "SY.V0000.00.HNE.20191231T235955.AT2"
    table = pd.read_csv("a/measures.csv")
    assert [name for name in table if name.startswith("psa")] == [
        "psa_0.250s_mps2",
        "psa_3.000s_mps2",
    ]
    assert run(*options, "--format", "csv", "--no-measures", "--out", "b").exit_code == 0
    assert "csv" in names("b") and "measures.csv" not in names("b")


# ---- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "texts"),
    [
        ((), ("--mag and --src",)),
        (("--mag", "4"), ("--src",)),
        (("--mag", "four", "--src", "37,-122"), ("'four'",)),
        ((*SOURCE, "--format", "wav"), ("'wav'", "mseed")),
        ((*SOURCE, "--extrapolate-magnitude", "inf"), ("inf", "10")),
        ((*SOURCE, "-n", "0"), ("0",)),
        ((*SOURCE, "-n", "2000"), ("2000", "1296")),
        ((*SOURCE, "--seed", "-1"), ("-1",)),
        ((*SOURCE, "--time", "yesterday"), ("'yesterday'",)),
        ((*SOURCE, "--sta", "37,-122", "--inventory", "a.xml"), ("Give only one of",)),
        ((*SOURCE, "--sta", "37,-122", "--stations", "a.csv"), ("Give only one of",)),
        ((*SOURCE, "--observed", "a.mseed"), ("--inventory",)),
    ],
)
def test_usage_errors(run, args, texts):
    refused(run(*args), 2, *texts)


@pytest.mark.parametrize(
    ("args", "texts"),
    [
        (("--mag", "8", "--src", "37.9,-122.1"), ("source_magnitude = 8", "1 to 5")),
        ((*SOURCE, "--depth", "50"), ("source_depth_km = 50", "0 to 20")),
        ((*SOURCE, "--sta", "10,10"), ("station_latitude_deg = 10",)),
        (("--mag", "4", "--src", "10,10"), ("source_latitude_deg = 10",)),
        ((*SOURCE, "--event", "none.xml"), ("none.xml",)),
        ((*SOURCE, "--inventory", "none*.xml"), ("none*.xml",)),
        ((*SOURCE, "--stations", "none.csv"), ("none.csv",)),
        ((*SOURCE, "--device", "abacus"), ("abacus",)),
    ],
)
def test_impossible_values(run, args, texts):
    refused(run(*args), 1, *texts)


def test_unreadable_files(run, tmp_path):
    bad = tmp_path / "bad.xml"
    for content in ("", "hello", "<xml/>"):
        bad.write_text(content)
        refused(run(*SOURCE, "--inventory", bad), 1, "bad.xml")
        refused(run("--event", bad), 1, "bad.xml")


def test_incomplete_events(run, tmp_path):
    path = tmp_path / "event.xml"
    origin = Origin(time=obspy.UTCDateTime(2020, 1, 1), latitude=37.9, longitude=-122.1, depth=8e3)
    for event, text in (
        (Event(origins=[origin]), "source_magnitude"),
        (Event(magnitudes=[Magnitude(mag=4.0)]), "source_latitude_deg"),
    ):
        Catalog([event]).write(path, "QUAKEML")
        refused(run("--event", path), 1, text)


def test_station_code_that_miniseed_would_cut(run, tmp_path, pleasant_hill):
    inventory = obspy.read_inventory(pleasant_hill / "raw" / "NC.CTA.xml")
    inventory[0][0].code = "TOOLONG"
    inventory.write(tmp_path / "long.xml", "STATIONXML")
    refused(run(*SOURCE, "--inventory", tmp_path / "long.xml"), 1, "TOOLONG", "1 to 5")
    result = run(*SOURCE, "--inventory", tmp_path / "long.xml", "--format", "sac", "--no-plot")
    assert result.exit_code == 0, result.output


def test_bad_weights(run, tiny_weights, tmp_path):
    refused(run(*SOURCE, weights="atlantis"), 1, "atlantis")
    for name in ("cut", "evil", "other"):
        for suffix in (".json", ".pt"):
            shutil.copy(tiny_weights.with_suffix(suffix), tmp_path / f"{name}{suffix}")
    content = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    refused(run(*SOURCE, weights=tmp_path / "cut"), 1, "cut.pt")
    torch.save({"a": click.echo}, tmp_path / "evil.pt")
    refused(run(*SOURCE, weights=tmp_path / "evil"), 1, "evil.pt")
    metadata = json.loads((tmp_path / "other.json").read_text()) | {"model": "PhaseNet"}
    (tmp_path / "other.json").write_text(json.dumps(metadata))
    refused(run(*SOURCE, weights=tmp_path / "other"), 1, "PhaseNet")


def test_existing_folder(run):
    Path("out").mkdir()
    options = (*SOURCE, "--sta", "37.8,-122.2", "--no-plot", "--out", "out")
    result = run(*options)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: out already exists; --overwrite (overwrite=True) replaces it.\n"
    )
    assert run(*options, "--overwrite").exit_code == 1  # not a folder of ours
    Path("out").rmdir()
    assert run(*options).exit_code == 0
    assert run(*options, "--overwrite", "--format", "sac").exit_code == 0
    assert "sac" in names("out")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyboardInterrupt(), "Aborted!"),
    ],
)
def test_disk_full_and_interrupt_leave_nothing(run, monkeypatch, error, line):
    def fail(*args):
        raise error

    monkeypatch.setattr(outputs, "to_catalog", fail)
    result = run(*SOURCE, "--sta", "37.8,-122.2", "--no-plot")
    assert result.exit_code == 1
    assert line in result.stderr
    assert "Traceback" not in result.stderr
    assert names(".") == []


def test_ctrl_c_of_a_real_process(run, tiny_weights):
    """Interrupt while it draws many records: one word, no traceback, no files."""
    # A shell that runs the tests in the background makes its children deaf to SIGINT.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from cgmgm_seis_cli.main import main; main(prog_name='cgmgm-seis')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "generate", "--weights", tiny_weights, *SOURCE, "-n", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stderr.readline()
    assert first.startswith("Using ")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert out == ""
    assert err.strip() == "Aborted!"
    assert names(".") == []


def test_samples_are_those_of_the_library(run, tiny_model):
    from cgmgm_seis import from_points

    assert run(*SOURCE, "--sta", "37.8,-122.2", "--seed", "3", "--no-plot").exit_code == 0
    scenario = from_points(4.1, (37.9, -122.1), [(37.8, -122.2)])
    expected = tiny_model.generate(scenario, seed=3)
    for trace, other in zip(obspy.read("cgmgm-output/waveforms.mseed"), expected, strict=True):
        np.testing.assert_array_equal(trace.data, other.data)
