"""Which picks of a catalogue become the P and S times of a record."""

import pytest
from obspy import UTCDateTime
from obspy.core.event import Arrival, Event, Origin, Pick, WaveformStreamID

from cgmgm_seis.datasets.catalogue_picks import CataloguePicks, phase_of

TIME = UTCDateTime("2019-10-15T05:33:42.81")
STATIONS = ("NC.CTA", "NP.1847", "NC.DUP", "BK.DUP")


def pick(delay, hint="P", station="NC.CTA", mode=None, status=None):
    network, code = station.split(".")
    return Pick(
        time=TIME + delay,
        phase_hint=hint,
        waveform_id=WaveformStreamID(network, code),
        evaluation_mode=mode,
        evaluation_status=status,
    )


def delays(*picks, recorded=STATIONS, origins=()):
    """Return the delays used by station and phase, and the picks that were not used."""
    catalogue = CataloguePicks(STATIONS)
    found = catalogue.of(Event(picks=list(picks), origins=list(origins)), recorded)
    seconds = {" ".join(key): round(time - TIME, 3) for key, time in found.items()}
    return seconds, catalogue


@pytest.mark.parametrize(
    ("names", "phase"),
    [
        ("P p Pg Pn P* Pb eP iP IPU0 IPD1 EP+ iPn- P2 qP", "p"),
        ("S s Sg Sn S* eS ES3 iSg IS", "s"),
        ("pmax SMZ PKPdf PKP PcP pP sP PP SS ScS Pdiff AML IAML amp T Lg END IPU4", None),
    ],
)
def test_phases(names, phase):
    assert {name: phase_of(name) for name in names.split()} == dict.fromkeys(names.split(), phase)


def test_phases_with_blanks_and_without_name():
    assert (phase_of("ES 2"), phase_of(" P "), phase_of(""), phase_of(None)) == (
        "s",
        "p",
        None,
        None,
    )


def test_rejected_picks_are_never_used_and_reviewed_ones_come_first():
    rejected = pick(1.0, status="rejected")
    later = [pick(2.0, mode="automatic"), pick(2.5), pick(3.0, mode="manual")]
    for number in range(1, 4):
        found, catalogue = delays(rejected, *later[:number])
        assert found == {"NC.CTA p": 1.5 + 0.5 * number if number > 1 else 2.0}
        assert catalogue.unused["rejected"] == 1
    assert delays(rejected)[0] == {}
    for status in ("final", "reviewed", "confirmed"):
        best = pick(4.0, mode="automatic", status=status)
        assert delays(*later[:2], best)[0] == {"NC.CTA p": 4.0}


def test_first_arrivals_of_equal_picks():
    assert delays(pick(3.2, "Pg"), pick(3.0, "Pn"), pick(5.1, "Sn"), pick(5.0, "Sg"))[0] == {
        "NC.CTA p": 3.0,
        "NC.CTA s": 5.0,
    }


def test_the_preferred_origin_says_phase_and_picks():
    early, used, renamed = pick(2.0), pick(3.0, "x"), pick(5.0, "P")
    other = Origin(time=TIME, arrivals=[Arrival(pick_id=early.resource_id, phase="PKP")])
    best = Origin(
        time=TIME,
        arrivals=[
            Arrival(pick_id=used.resource_id, phase="Pg"),
            Arrival(pick_id=renamed.resource_id, phase="Sg"),
        ],
    )
    event = Event(picks=[early, used, renamed], origins=[other, best])
    event.preferred_origin_id = best.resource_id
    found = CataloguePicks(STATIONS).of(event, STATIONS)
    assert found == {("NC.CTA", "p"): used.time, ("NC.CTA", "s"): renamed.time}


@pytest.mark.parametrize("network", ["", "??", "IR"])
def test_a_unique_station_code_is_enough(network, caplog):
    found, catalogue = delays(pick(3.0, station=f"{network}.1847"))
    assert found == {"NP.1847 p": 3.0}
    catalogue.say()
    assert "1 pick(s) have another network code" in caplog.text


def test_a_station_code_that_is_not_unique_is_not_used():
    found, catalogue = delays(
        pick(3.0, station="IR.DUP"), pick(3.0, station="XX.NONE"), pick(4.0, station="BK.DUP")
    )
    assert found == {"BK.DUP p": 4.0}
    assert sorted(catalogue.unused.values()) == [0, 1, 1]
    # Two networks of the catalogue with a station that the inventory has in a third one.
    assert delays(pick(3.0, station="IR.1847"), pick(3.1, station="AA.1847"))[0] == {}
    # The codes of the inventory are better than a review.
    same = pick(3.0, station="IR.1847", mode="manual"), pick(3.5, station="NP.1847")
    assert delays(*same)[0] == {"NP.1847 p": 3.5}


def test_what_is_not_used_is_counted(caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    found, catalogue = delays(
        pick(3.0),
        pick(2.0, "S"),
        pick(0.1, "SMZ"),
        pick(0.1, "pmax"),
        pick(4.0, station="NP.1847"),
        Pick(time=TIME, phase_hint="P"),
        recorded=["NC.CTA"],
    )
    assert found == {"NC.CTA p": 3.0}
    catalogue.say()
    assert "2 of phases other than direct P and S" in caplog.text
    assert "1 of S that are not after P" in caplog.text
    assert "1 at stations without a record of the event" in caplog.text
    assert "1 without a station code" in caplog.text
