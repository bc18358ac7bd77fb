"""Picks of a catalogue: P and S arrival times of the stations of an event."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from obspy import UTCDateTime
from obspy.core.event import Event, Pick

from cgmgm_seis.scenario.events import preferred_origin

logger = logging.getLogger(__name__)

# A P or S phase of local earthquakes: an optional onset (i, e, q), the phase, and an optional first
# motion and weight, as in "P", "Pg", "eS", "IPU0", "ES 2" and "iPn+".  Weights of 4 and more mean
# in HYPO71 that the pick must not be used.
_PHASE = re.compile(r"[ieq]?\s*([ps])(?:[gnb]|\*)?\s*[ucd+.-]?\s*[0-3]?", re.IGNORECASE)
_REVIEWED = ("final", "reviewed", "confirmed")
REJECTED = "rejected"
OTHER_PHASE = "of phases other than direct P and S"
NO_STATION = "without a station code"
UNKNOWN_STATION = "at stations that the inventory does not contain"
AMBIGUOUS_STATION = "whose network code is unknown, and whose station code several networks have"
NO_RECORD = "at stations without a record of the event"
CONTRADICTION = "of S that are not after P"
OUTSIDE = "outside of their record"

# Another network code, evaluation, not used by the preferred origin, and time: smaller is better.
_Rank = tuple[bool, int, bool, float]


class CataloguePicks:
    """P and S picks of the stations of an inventory, and how many picks are not used.

    Parameters
    ----------
    stations : iterable of str
        Codes (NET.STA) of all stations of the inventory.

    Attributes
    ----------
    unused : collections.Counter
        Numbers of picks that were not used, by reason.
    by_station_code : int
        Number of picks that were used although their network code is not that of the inventory.
    """

    def __init__(self, stations: Iterable[str]) -> None:
        self.unused: Counter[str] = Counter()
        self.by_station_code = 0
        self._stations = frozenset(stations)
        self._by_code: dict[str, list[str]] = defaultdict(list)
        for name in self._stations:
            self._by_code[name.split(".", 1)[1]].append(name)

    def of(self, event: Event, recorded: Iterable[str]) -> dict[tuple[str, str], UTCDateTime]:
        """Return the P and S times of the stations with a record of an event.

        The phase of a pick is that of its arrival in the preferred origin, or else its phase hint,
        or else that of its arrival in another origin; see `phase_of`.  Rejected picks are never
        used.  Of several picks of a phase at a station, a reviewed one (evaluation status final,
        reviewed or confirmed, or manual) is taken before one without evaluation, and this before
        an automatic one; then one that the preferred origin uses before others; then the earliest,
        because P and S are the first arrivals of their kind, of whatever branch (Pg, Pn, ..).
        A pick with an empty or another network code is used if only one station of the inventory
        has its station code, and no pick has the codes of that station.

        Parameters
        ----------
        event : obspy.core.event.Event
            The event.
        recorded : iterable of str
            Stations (NET.STA) with a record.

        Returns
        -------
        dict
            Times by (NET.STA, "p" or "s").
        """
        phases = _arrival_phases(event)
        candidates: dict[tuple[str, str], list[tuple[_Rank, Pick]]] = defaultdict(list)
        for pick in event.picks:
            used_by_origin, name = phases.get(str(pick.resource_id), (False, ""))
            phase = phase_of((name if used_by_origin else "") or pick.phase_hint or name)
            if reason := _fault(pick, phase):
                self.unused[reason] += 1
                continue
            station = self._station(pick)
            if station not in self._stations:
                self.unused[station] += 1
                continue
            others = _station(pick) != station
            rank = (others, _evaluation(pick), not used_by_origin, pick.time.timestamp)
            candidates[station, str(phase)].append((rank, pick))
        recorded = set(recorded)
        found = {}
        for (station, phase), picks in candidates.items():
            if station not in recorded:
                self.unused[NO_RECORD] += len(picks)
                continue
            (by_station_code, *_), best = min(picks, key=lambda pair: pair[0])
            if by_station_code and len({_station(pick) for _, pick in picks}) > 1:
                self.unused[AMBIGUOUS_STATION] += len(picks)
                continue
            self.by_station_code += by_station_code
            found[station, phase] = best.time
        return self._consistent(found)

    def _station(self, pick: Pick) -> str:
        """Return the station of the inventory that a pick belongs to, or else why there is none."""
        name = _station(pick)
        same_code = self._by_code.get(name.split(".", 1)[1])
        if not same_code:
            return UNKNOWN_STATION
        if name in same_code:
            return name
        return same_code[0] if len(same_code) == 1 else AMBIGUOUS_STATION

    def _consistent(
        self, found: dict[tuple[str, str], UTCDateTime]
    ) -> dict[tuple[str, str], UTCDateTime]:
        """Return times without S picks that are not after P at the same station."""
        wrong = [
            (station, phase)
            for station, phase in found
            if phase == "s" and found[station, "s"] <= found.get((station, "p"), UTCDateTime(0))
        ]
        self.unused[CONTRADICTION] += len(wrong)
        return {key: time for key, time in found.items() if key not in wrong}

    def say(self) -> None:
        """Log how many picks were not used, by reason, and how many by their station code only."""
        if self.by_station_code:
            logger.warning(
                "%d pick(s) have another network code than the inventory and are used for the "
                "only station with their station code.",
                self.by_station_code,
            )
        counts = [f"{count} {reason}" for reason, count in self.unused.most_common() if count]
        if counts:
            logger.info("Picks of the catalogue that are not used: %s.", ", ".join(counts))


def phase_of(name: str | None) -> str | None:
    """Return "p" or "s" for the name of a direct phase of local earthquakes, otherwise None.

    P, Pg, Pn, Pb and P*, and the same of S, may have an onset (i, e, q) before them, and first
    motion and weight (0 to 3) after them.  Amplitudes (pmax, SMZ), reflected and core phases, and
    picks of weight 4 (none) are None.

    Examples
    --------
    >>> [phase_of(name) for name in ("Pn", "eP", "IPU0", "ES 2", "pmax", "SMZ", "PKPdf", "PcP")]
    ['p', 'p', 'p', 's', None, None, None, None]
    """
    match = _PHASE.fullmatch((name or "").strip())
    return match[1].lower() if match else None


def _arrival_phases(event: Event) -> dict[str, tuple[bool, str]]:
    """Return the phases of arrivals by pick, and whether they are of the preferred origin."""
    best = preferred_origin(event)
    phases: dict[str, tuple[bool, str]] = {}
    # That of the preferred origin comes last, and replaces others.
    for origin in sorted(event.origins, key=lambda origin: origin is best):
        for arrival in origin.arrivals:
            phases[str(arrival.pick_id)] = (origin is best, arrival.phase or "")
    return phases


def _station(pick: Pick) -> str:
    return f"{pick.waveform_id.network_code or ''}.{pick.waveform_id.station_code}"


def _evaluation(pick: Pick) -> int:
    """Return 0 for reviewed picks, 1 without evaluation, and 2 for automatic ones."""
    if pick.evaluation_status in _REVIEWED or pick.evaluation_mode == "manual":
        return 0
    return 2 if pick.evaluation_mode == "automatic" else 1


def _fault(pick: Pick, phase: str | None) -> str:
    """Return why a pick cannot be used, if so."""
    if pick.evaluation_status == "rejected":
        return REJECTED
    if phase is None or pick.time is None:
        return OTHER_PHASE
    if pick.waveform_id is None or not pick.waveform_id.station_code:
        return NO_STATION
    return ""
