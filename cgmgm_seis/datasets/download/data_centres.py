"""Data centres as ObsPy's MassDownloader takes them, polite and honest about failures."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from obspy import Inventory
from obspy.clients.fdsn import Client
from obspy.clients.fdsn.header import URL_MAPPINGS, FDSNException, FDSNNoDataException

from cgmgm_seis.datasets.download.fdsn import PoliteClient
from cgmgm_seis.datasets.download.raw_archive import Request
from cgmgm_seis.errors import DatasetError
from cgmgm_seis.scenario.obspy_files import reason_of

logger = logging.getLogger(__name__)

# Data centres of ObsPy's that serve events only, hand questions on to others, or hold records
# that MassDownloader leaves out too (geophones of active experiments, Raspberry Shakes).
LEFT_OUT = ("EMSC", "ISC", "USGS", "EIDA", "IRISPH5", "RASPISHAKE")
# Asked last, for others know more about their own stations; so does MassDownloader.
LAST = ("ODC", "EARTHSCOPE")
# A data centre that fails this many events in a row is not asked again in the same run.
LOST_AFTER = 3


def data_centres() -> list[str]:
    """Return ObsPy's names of the data centres with stations and waveforms, each once.

    Examples
    --------
    >>> "NCEDC" in data_centres(), "USGS" in data_centres()
    (True, False)
    """
    by_address: dict[str, str] = {}
    for name in sorted(URL_MAPPINGS):
        if name not in LEFT_OUT:
            by_address.setdefault(URL_MAPPINGS[name], name)
    last = [name for name in LAST if name in by_address.values()]
    return [name for name in by_address.values() if name not in last] + last


class DataCentre(Client):
    """An ObsPy client whose requests are polite, and whose failures are kept.

    Parameters
    ----------
    polite : PoliteClient
        Asks.

    Attributes
    ----------
    name : str
        Name or address.
    failure : str
        Why it failed first, since the last `begin_event`.
    lost : bool
        Whether it is not worth asking any more.
    """

    def __init__(self, polite: PoliteClient) -> None:
        super().__init__(polite.name, timeout=polite.client.timeout, _discover_services=False)
        # Some say they know matchtimeseries, which MassDownloader asks with, and answer nothing.
        self.services["station"] = {
            option: value
            for option, value in self.services["station"].items()
            if option != "matchtimeseries"
        }
        self.polite, self.name = polite, polite.name
        self.failure, self.lost, self._failed_in_a_row = "", False, 0

    def get_stations(self, **options: Any) -> Inventory:
        """Return stations, asked for politely."""
        return self._kept(partial(self.polite.ask, super().get_stations, **options))

    def get_stations_bulk(self, bulk: list[Any], level: str, filename: str) -> None:
        """Write StationXML; parsed, so that half an answer is asked for again."""
        ask = partial(self.polite.ask, super().get_stations_bulk, bulk, level=level)
        self._kept(ask).write(filename, "STATIONXML")

    def get_waveforms_bulk(self, bulk: list[Any], filename: str) -> None:
        """Write MiniSEED, whole records."""
        content = self._kept(partial(self.polite.waveforms, bulk))
        Path(filename).write_bytes(content)

    def begin_event(self) -> None:
        """Forget the failure of the event before."""
        self.failure = ""

    def end_event(self, event: str) -> None:
        """Say what failed; after `LOST_AFTER` such events in a row the data centre is lost."""
        self._failed_in_a_row = self._failed_in_a_row + 1 if self.failure else 0
        if self.failure:
            logger.warning("Event %s: %s", event, self.failure)
        if self._failed_in_a_row == LOST_AFTER:
            self.lost = True
            logger.warning("%s is not asked again in this run.", self.name)

    def _kept(self, request: Callable[[], Any]) -> Any:
        """Return an answer; keep a failure, and raise what MassDownloader goes on after."""
        try:
            answer = request()
        except (DatasetError, FDSNException) as error:
            # The rest are requests too large, which the client leaves to its caller.
            text = str(error) if isinstance(error, DatasetError) else reason_of(error)
            self.failure = self.failure or text
            raise FDSNException(text) from error
        if not answer:
            raise FDSNNoDataException("No data available for request.")
        return answer


def near_data_centres(clients: Sequence[PoliteClient], request: Request) -> list[DataCentre]:
    """Return the data centres with stations around the region, and, lost, who fails to say.

    All are asked at the same time, one question each.
    """

    def ask(client: PoliteClient) -> bool | str:
        try:
            return client.has_stations(request)
        except DatasetError as error:
            logger.warning("%s It is left out of this run.", error)
            return str(error)

    if not clients:
        return []
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(ask, clients))
    found = []
    for client, answer in zip(clients, answers, strict=True):
        if answer:
            found.append(DataCentre(client))
        if isinstance(answer, str):
            found[-1].failure, found[-1].lost = answer, True
    near = sum(not centre.lost for centre in found)
    logger.info("%d of %d server(s) have stations there.", near, len(clients))
    return found
