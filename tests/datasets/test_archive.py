"""From raw counts to a data set: against the same records processed by others, and bad input."""

import shutil

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy import Stream, Trace, UTCDateTime
from obspy.core.event import Pick, WaveformStreamID
from scipy.signal import butter, sosfiltfilt
from seisbench.data import WaveformDataset

from cgmgm_seis.datasets.archive import Processing, import_records, near_stations
from cgmgm_seis.datasets.windows import read_records
from cgmgm_seis.errors import DatasetError, OutputError, ScenarioError
from cgmgm_seis.scenario.obspy_files import read_catalog, read_event, read_inventory
from cgmgm_seis.scenario.spans import VALID_END
from cgmgm_seis.scenario.window import Window

ALL_FILES = "**/*.mseed"
# Three stations (CE) stop 40 to 45 s after the origin.
SHORT = Processing(duration_s=44.0, min_snr_db=0.0)


@pytest.fixture(scope="module")
def event(pleasant_hill):
    return read_event(pleasant_hill / "event.xml")


@pytest.fixture(scope="module")
def inventory(pleasant_hill):
    return read_inventory(pleasant_hill / "raw" / "*.xml")


@pytest.fixture(scope="module")
def made(pleasant_hill, inventory, tmp_path_factory):
    """All 11 stations; of BRIB the accelerometer, for its seismometer is clipped."""
    out = tmp_path_factory.mktemp("archive") / "set"
    return out, import_records(
        pleasant_hill / "event.xml", inventory, pleasant_hill / ALL_FILES, out, SHORT
    )


def in_band(records):
    """Return records between 1 and 15 Hz, without the ends."""
    band = butter(4, (1.0, 15.0), "bandpass", fs=100.0, output="sos")
    return sosfiltfilt(band, records)[..., 200:-200]


def misfits(folder, bay_area_records):
    """Return rms(difference) / rms(reference) in 1-15 Hz of every channel of a data set."""
    ours = WaveformDataset(folder, component_order="ZNE")
    theirs = WaveformDataset(bay_area_records, component_order="ZNE")
    reference = theirs.metadata.query("source_id == 'nc73291880'")
    found = {}
    for number, row in ours.metadata.iterrows():
        same = reference.query("station_code == @row.station_code")
        (at,) = same.index[same["trace_channel"] == row.trace_channel]
        a, b = theirs.get_waveforms(at), ours.get_waveforms(number)
        if (row.station_code, row.trace_channel) == ("BRIB", "HN"):
            # Its sensor points to 15 and 105 degrees; the reference is not turned.
            turn = np.radians(15.0)
            one, two = a[1].copy(), a[2].copy()
            a[1] = np.cos(turn) * one - np.sin(turn) * two
            a[2] = np.sin(turn) * one + np.cos(turn) * two
        name = f"{row.station_code}.{row.trace_channel}"
        delay = UTCDateTime(reference.loc[at, "trace_start_time"]) - UTCDateTime(
            row.trace_start_time
        )
        for component, x, y in zip("ZNE", a, b, strict=True):
            pair = Stream([Trace(x.astype(float)), Trace(y.astype(float))])
            for trace, begin in zip(pair, (delay, 0.0), strict=True):
                trace.stats.sampling_rate = 100.0
                trace.stats.starttime = UTCDateTime(0) + begin
            pair.interpolate(100.0, "lanczos", UTCDateTime(1), 4200, a=20)
            x, y = in_band(np.stack([trace.data for trace in pair]))
            found[name + component] = np.sqrt(np.mean((x - y) ** 2) / np.mean(x**2))
    return found


def test_agrees_with_the_same_records_processed_by_others(made, bay_area_records):
    """1-15 Hz, 11 accelerometers; the reference is filtered at 0.5 and 20 Hz besides."""
    found = misfits(made[0], bay_area_records)
    assert len(found) == 33
    assert max(found.values()) < 0.02, found


def test_clipped_seismometers_agree_too(whole_pleasant_hill, bay_area_records, tmp_path):
    """Broadband at 100 and 40 Hz, taken and marked where clipped records are asked for."""
    for code in ("HH", "BH"):
        metadata = import_records(
            whole_pleasant_hill / "event.xml",
            whole_pleasant_hill / "raw" / "*.xml",
            whole_pleasant_hill / "raw" / f"BK.BRIB.01.{code}*",
            tmp_path / code,
            Processing(duration_s=44.0, clipping="flag"),
        )
        assert metadata["trace_clipped"].tolist() == [True]
        found = misfits(tmp_path / code, bay_area_records)
        assert len(found) == 3 and max(found.values()) < 0.02, found
    assert metadata["trace_f_max_hz"].tolist() == [16.0]  # of 40 Hz


def test_one_instrument_a_station_and_why(made):
    out, metadata = made
    assert metadata["trace_channel"].tolist() == ["HN"] * 11
    (row,) = metadata.query("station_code == 'BRIB'").to_dict("records")
    assert "BK.BRIB.01.BH is clipped" in row["trace_instruments_passed_over"]
    assert row["trace_units_source"].endswith("integrated")
    assert row["trace_prefilter_hz"] == "0.25,0.5,40,45"
    assert pd.read_csv(out / "left_out.csv")["station"].tolist() == ["BK.BRIB"]


def test_the_result_is_read_for_training(made):
    out, metadata = made
    waveforms, scenario = read_records(out, Window("ZNE", 100.0, -5.0, 4400))
    assert waveforms.shape == (11, 3, 4400)
    assert scenario["station_location_code"].tolist() == metadata["station_location_code"].tolist()
    assert scenario["source_magnitude"].unique().tolist() == [4.46]
    np.testing.assert_allclose(
        np.abs(waveforms).max(axis=(1, 2)), metadata["trace_pgv_mps"], rtol=1e-6
    )


def test_triggered_records_are_kept_with_their_valid_span(pleasant_hill, inventory, tmp_path):
    """All 11 stations; 58360, 58369 and 58442 stop 45 to 50 s after the start of the window."""
    raw = pleasant_hill / "raw"
    out = tmp_path / "set"
    metadata = import_records(pleasant_hill / "event.xml", inventory, raw / "*.HN*", out)
    assert len(metadata) == 11
    assert metadata["trace_npts"].unique().tolist() == [6000]
    spans = metadata.set_index("station_code")[["trace_valid_start_sample", VALID_END]]
    assert (spans["trace_valid_start_sample"] == 0).all()
    ends = spans[VALID_END].drop(["58360", "58369", "58442"])
    assert (ends == 6000).all()
    # It ends at 45.19 s; half of the 5 % taper of 55.2 s, and a period of 0.5 Hz, are not valid.
    assert spans.loc["58360", VALID_END] == pytest.approx(4519 - 138 - 200, abs=2)
    waveforms, scenario = read_records(out, Window("ZNE", 100.0, -5.0, 6000))
    for record, end in zip(waveforms, scenario[VALID_END], strict=True):
        assert not record[:, end:].any() and record[:, end - 100 : end].std(axis=1).all()


@pytest.fixture
def cta(pleasant_hill, tmp_path):
    """A folder with the files of NC.CTA, to be damaged."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for path in (pleasant_hill / "raw").glob("NC.CTA*.mseed"):
        shutil.copyfile(path, folder / path.name)
    return folder


def test_damaged_files_are_named_and_skipped(pleasant_hill, inventory, cta, tmp_path, caplog):
    for path in (pleasant_hill / "raw").glob("NC.CRH*.mseed"):
        shutil.copyfile(path, cta / path.name)
    broken = next(cta.glob("NC.CRH..HNZ*"))
    broken.write_bytes(b"no waveform at all")
    metadata = import_records(
        pleasant_hill / "event.xml", inventory, cta / "*", tmp_path / "set", SHORT
    )
    assert metadata["station_code"].tolist() == ["CTA"]
    assert f"{broken} is skipped" in caplog.text
    left_out = pd.read_csv(tmp_path / "set" / "left_out.csv")
    assert str(broken) in left_out["instrument_or_file"].tolist()
    assert "NC.CRH..HN has the components EN; three are needed." in left_out["reason"].tolist()


def test_a_truncated_file_does_not_stop_the_others(pleasant_hill, inventory, cta, tmp_path, caplog):
    broken = next(cta.glob("*HNZ*"))
    broken.write_bytes(broken.read_bytes()[:5_000])
    for path in (pleasant_hill / "raw").glob("NC.CRH*.mseed"):
        shutil.copyfile(path, cta / path.name)
    metadata = import_records(
        pleasant_hill / "event.xml", inventory, cta / "*", tmp_path / "set", SHORT
    )
    assert metadata["station_code"].tolist() == ["CRH"]
    assert "NC.CTA" in pd.read_csv(tmp_path / "set" / "left_out.csv")["station"].tolist()


@pytest.mark.parametrize("gap_s", [0.2, 3.0])
def test_gaps(pleasant_hill, event, inventory, cta, tmp_path, gap_s):
    time = event.preferred_origin().time + 10
    path = next(cta.glob("*HNN*"))
    whole = obspy.read(path)
    (whole.slice(endtime=time) + whole.slice(time + gap_s)).write(path, "MSEED")
    arguments = (pleasant_hill / "event.xml", inventory, cta / "*", tmp_path / "set")
    with pytest.raises(DatasetError, match=r"NC\.CTA\.\.HN has 1 gap\(s\) of .* does not cover"):
        import_records(*arguments, SHORT)
    assert not (tmp_path / "set").exists()
    flagged = Processing(duration_s=44.0, gaps="flag")
    metadata = import_records(*arguments, flagged)
    assert metadata["trace_has_gaps"].tolist() == [True]
    assert abs(metadata["trace_gap_s"].iloc[0] - gap_s) < 0.011


@pytest.mark.parametrize("after_s", [30.0, -15.0])
def test_a_gap_in_the_coda_or_long_before_p_shortens_the_record(
    pleasant_hill, event, inventory, cta, tmp_path, after_s
):
    """Inside the span it is the record without a gap, to 1 % of its rms."""
    arguments = (pleasant_hill / "event.xml", inventory, cta / "*")
    import_records(*arguments, tmp_path / "whole", SHORT)
    time = event.preferred_origin().time + after_s
    path = next(cta.glob("*HNN*"))
    raw = obspy.read(path)
    (raw.slice(endtime=time) + raw.slice(time + 2.0)).write(path, "MSEED")
    found = import_records(*arguments, tmp_path / "set", SHORT)
    assert not found["trace_has_gaps"].any()
    ((first, last),) = found[["trace_valid_start_sample", VALID_END]].to_numpy()
    # The gap starts 35 s after the start of the window; tapers and filters need 3 to 4 s before it,
    # and as long after the other gap, which ends 8 s before the window starts.
    assert first == 0 and (3050 < last < 3250 if after_s > 0 else last == 4400)
    gapless, shortened = (
        WaveformDataset(tmp_path / name, component_order="ZNE").get_waveforms(0)
        for name in ("whole", "set")
    )
    assert (shortened - gapless)[:, :last].std() < 0.01 * gapless.std()
    assert not shortened[:, last:].any()


def test_other_reasons(pleasant_hill, event, inventory, cta, tmp_path):
    def reason(**changes):
        arguments = {
            "events": pleasant_hill / "event.xml",
            "inventory": inventory,
            "waveforms": cta / "*",
            "out": tmp_path / "set",
            "processing": SHORT,
        }
        with pytest.raises((DatasetError, ScenarioError)) as caught:
            import_records(**(arguments | changes))
        assert not (tmp_path / "set").exists()
        return str(caught.value)

    nameless = event.copy()
    nameless.magnitudes, nameless.preferred_magnitude_id = [], None
    assert "has no source_magnitude" in reason(events=obspy.Catalog([nameless]))
    later = event.copy()
    later.preferred_origin().time += 86400
    assert "has no samples in the window of an event" in reason(events=obspy.Catalog([later]))
    far = event.copy()
    far.preferred_origin().latitude += 5.0
    assert "not open within 100 km of an event" in reason(events=obspy.Catalog([far]))
    assert "contains no events" in reason(events=_empty_catalogue(tmp_path))
    assert "No file matches" in reason(waveforms=cta / "none*")
    without = inventory.copy()
    for network in without:
        for station in network:
            for channel in station:
                channel.response = None
    assert "has no usable response" in reason(inventory=without)
    strict = Processing(duration_s=44.0, min_snr_db=99.0)
    assert "must be at least 99 dB" in reason(processing=strict)
    dead = obspy.read(cta / "*")
    for trace in dead:
        trace.data[:] = 7
        trace.write(tmp_path / f"{trace.id}.mseed", "MSEED")
    assert "constant samples" in reason(waveforms=tmp_path / "NC*.mseed")


def _empty_catalogue(folder):
    obspy.Catalog().write(folder / "none.xml", "QUAKEML")
    return folder / "none.xml"


@pytest.mark.parametrize(
    "settings",
    [
        {"band_hz": (5.0, 1.0)},
        {"gaps": "fill"},
        {"duration_s": 0.0},
        {"start_offset_s": 0.0},
        {"sampling_rate": -1.0},
        {"duration_s": 1e5, "sampling_rate": 1e4},
        {"duration_s": 1e-9},
    ],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(DatasetError, match=r"must (be|satisfy|start)|there must be 1 to 1,000,000"):
        Processing(**settings)


def test_existing_folders_are_kept(pleasant_hill, inventory, cta, tmp_path):
    (tmp_path / "set").mkdir()
    arguments = (pleasant_hill / "event.xml", inventory, cta / "*", tmp_path / "set", SHORT)
    with pytest.raises(OutputError, match="already exists"):
        import_records(*arguments)
    with pytest.raises(OutputError, match="not a SeisBench data set"):
        import_records(*arguments, overwrite=True)


def test_picks_of_the_catalogue_and_of_phasenet(
    pleasant_hill, event, inventory, cta, tmp_path, phasenet
):
    origin = event.preferred_origin().time
    picked = event.copy()
    station = WaveformStreamID("NC", "CTA", channel_code="HNZ")
    picked.picks = [Pick(time=origin + 3.21, waveform_id=station, phase_hint="Pg")]
    out = tmp_path / "set"
    metadata = import_records(obspy.Catalog([picked]), inventory, cta / "*", out, SHORT)
    assert metadata["trace_p_arrival_sample"].tolist() == [pytest.approx(821.0)]
    assert metadata["trace_s_arrival_sample"].isna().all()
    assert metadata["trace_pick_source"].tolist() == ["catalogue"]
    both = import_records(
        obspy.Catalog([picked]), inventory, cta / "*", out, SHORT, picker=phasenet, overwrite=True
    )
    assert both["trace_p_arrival_sample"].tolist() == [pytest.approx(821.0)]
    assert both["trace_pick_source"].tolist() == ["PhaseNet and catalogue"]
    # P is 0.7 s later there than GIL7 has it, and S 1.3 s: 12.2 s after the start.
    assert abs(both["trace_s_arrival_sample"].iloc[0] - 1223) < 10


def test_picks_that_do_not_count(pleasant_hill, event, inventory, cta, tmp_path, caplog):
    """Rejected, automatic beside reviewed, amplitudes, and times outside of the record."""
    caplog.set_level("INFO", "cgmgm_seis")
    origin, picked = event.preferred_origin().time, event.copy()
    station = WaveformStreamID("NC", "CTA", channel_code="HNZ")
    picked.picks = [
        Pick(time=origin + delay, waveform_id=station, phase_hint=hint, **evaluation)
        for delay, hint, evaluation in (
            (1.59, "P", {"evaluation_mode": "automatic", "evaluation_status": "rejected"}),
            (2.0, "P", {"evaluation_mode": "automatic"}),
            (3.09, "IPU0", {"evaluation_mode": "manual"}),
            (0.09, "SMZ", {}),
            (400.0, "eS", {}),
        )
    ]
    metadata = import_records(
        obspy.Catalog([picked]), inventory, cta / "*", tmp_path / "set", SHORT
    )
    assert metadata["trace_p_arrival_sample"].tolist() == [pytest.approx(809.0)]
    assert metadata["trace_s_arrival_sample"].isna().all()
    for reason in ("1 rejected", "1 of phases other than", "1 outside of their record"):
        assert reason in caplog.text


def test_every_unused_file_is_named(pleasant_hill, event, inventory, cta, tmp_path, caplog):
    origin = event.preferred_origin().time
    for path in sorted(cta.glob("*.mseed")):
        stream = obspy.read(path)
        for network, channel, delay in (("XX", "HN", 0), ("NC", "EN", 0), ("NC", "HN", 86400)):
            for trace in stream.copy():
                trace.stats.network = network
                trace.stats.channel = channel + trace.stats.channel[-1]
                trace.stats.starttime += delay
                trace.write(cta / f"{trace.id}.{delay}.mseed", "MSEED")
    out = tmp_path / "set"
    arguments = (inventory, cta / "*.mseed", out, SHORT)
    metadata = import_records(obspy.Catalog([event]), *arguments)
    assert metadata["trace_channel"].tolist() == ["HN"]
    left_out = pd.read_csv(out / "left_out.csv", keep_default_na=False)
    reasons = {
        "XX.CTA..HN?.0": "Station XX.CTA is not in the inventory.",
        "NC.CTA..EN?.0": "NC.CTA..EN is not used, but NC.CTA..HN of the same station is.",
        "NC.CTA..HN?.86400": "NC.CTA..HN has no samples in the window of an event.",
    }
    expected = {
        str(path): reason for name, reason in reasons.items() for path in cta.glob(f"{name}.mseed")
    }
    assert len(expected) == 9
    assert dict(zip(left_out["instrument_or_file"], left_out["reason"], strict=True)) == expected
    assert "Waveforms of 1 station(s) are not used" in caplog.text
    assert "XX.CTA" in caplog.text
    # A second event, a day later, uses the other files.
    later = event.copy()
    later.resource_id = "smi:local/later"
    later.preferred_origin().time = origin + 86400
    assert len(import_records(obspy.Catalog([event, later]), *arguments, overwrite=True)) == 2
    left_out = pd.read_csv(out / "left_out.csv", keep_default_na=False)
    assert not left_out["reason"].str.contains("has no samples").any()


def test_stations_of_sds_archives_are_named(event, inventory, cta, tmp_path):
    origin = event.preferred_origin().time
    for path in sorted(cta.glob("*.mseed")):
        for network in ("NC", "XX"):
            (trace,) = obspy.read(path)
            trace.stats.network = network
            folder = tmp_path / f"sds/{origin.year}/{network}/CTA/{trace.stats.channel}.D"
            folder.mkdir(parents=True)
            trace.write(folder / f"{trace.id}.D.{origin.strftime('%Y.%j')}", "MSEED")
    import_records(obspy.Catalog([event]), inventory, tmp_path / "sds", tmp_path / "set", SHORT)
    left_out = pd.read_csv(tmp_path / "set" / "left_out.csv")
    assert left_out["instrument_or_file"].tolist() == [str(tmp_path / "sds/2019/XX/CTA")]


def test_events_of_a_data_set(event, inventory, cta, tmp_path):
    """Each event once, with the type of its magnitude; depths of 8 km are marked."""
    ml, deepless = event.copy(), event.copy()
    ml.preferred_magnitude().magnitude_type = "ML"
    deepless.resource_id = "smi:local/deepless"
    deepless.preferred_origin().depth = None
    deepless.preferred_origin().time += 0.5
    metadata = import_records(
        obspy.Catalog([ml, ml.copy(), deepless]), inventory, cta / "*", tmp_path / "set", SHORT
    )
    assert metadata["source_id"].tolist() == ["nc73291880", "deepless"]
    assert metadata["source_magnitude_type"].tolist() == ["ML", "Mw"]
    assert metadata["source_depth_km"].tolist() == [13.97, 8.0]
    assert metadata["source_depth_is_estimated"].tolist() == [False, True]


def test_stations_across_the_date_line_open_then(inventory):
    world = inventory.select(station="CTA")
    for station in world[0]:
        station.latitude, station.longitude, station.elevation = -17.0, -179.9, -120.0
    source = {
        "source_origin_time": "2019-10-15T00:00:00Z",
        "source_latitude_deg": -17.0,
        "source_longitude_deg": 179.8,
    }
    (found,) = near_stations(world, source, 40.0)
    assert found["station_elevation_m"] == -120.0
    assert near_stations(world, source, 30.0) == []
    assert near_stations(world, source | {"source_origin_time": "1950-01-01T00:00:00Z"}, 40) == []


def test_catalogues_are_joined(pleasant_hill):
    path = pleasant_hill / "event.xml"
    assert len(read_catalog([path, path])) == 1
