"""FDSN clients for ObsPy's MassDownloader that limit their requests and record failures."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from obspy import Inventory
from obspy.clients.fdsn import Client
from obspy.clients.fdsn.header import URL_MAPPINGS, FDSNException, FDSNNoDataException

from cgmgm_seis.datasets.download.fdsn import PoliteClient, with_codes
from cgmgm_seis.datasets.download.raw_archive import Request
from cgmgm_seis.errors import DatasetError, reason_of

logger = logging.getLogger(__name__)

# Data centres in ObsPy that serve only events, forward requests to others, or whose records
# MassDownloader excludes by default as well (geophones of active experiments, Raspberry Shakes).
LEFT_OUT = ("EMSC", "ISC", "USGS", "EIDA", "IRISPH5", "RASPISHAKE")
# Requested last, as in MassDownloader, because other data centres know their own stations better.
LAST = ("ODC", "EARTHSCOPE")
# After failures for this many events in a row, a data centre is not used again in the same run.
LOST_AFTER = 3


def data_centres() -> list[str]:
    """Return ObsPy's names of data centres with stations and waveforms, one per address.

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
    """An ObsPy client that limits its requests and records its failures.

    Parameters
    ----------
    polite : PoliteClient
        Client that sends the requests.

    Attributes
    ----------
    name : str
        Name or address.
    failure : str
        Reason of the first failure since the last `begin_event`.
    lost : bool
        Whether the data centre is not used any more, after repeated failures.
    """

    def __init__(self, polite: PoliteClient) -> None:
        super().__init__(polite.name, timeout=polite.client.timeout, _discover_services=False)
        self._url_opener.add_handler(polite.bounds)
        # Some servers claim to support matchtimeseries, which MassDownloader would use, but return
        # no data with it.
        self.services["station"] = {
            option: value
            for option, value in self.services["station"].items()
            if option != "matchtimeseries"
        }
        self.polite, self.name = polite, polite.name
        self.failure, self.lost, self._failed_in_a_row = "", False, 0

    def get_stations(self, **options: Any) -> Inventory:
        """Return stations, see `obspy.clients.fdsn.Client.get_stations`."""
        found = self._kept(partial(self.polite.ask, super().get_stations, **options))
        return with_codes(found, self.name)

    def get_stations_bulk(self, bulk: list[Any], level: str, filename: str) -> None:
        """Write StationXML; it is parsed first, so that truncated responses are requested again."""
        ask = partial(self.polite.ask, super().get_stations_bulk, bulk, level=level)
        self._kept(ask).write(filename, "STATIONXML")

    def get_waveforms_bulk(self, bulk: list[Any], filename: str) -> None:
        """Write MiniSEED with complete records."""
        content = self._kept(partial(self.polite.waveforms, bulk))
        Path(filename).write_bytes(content)

    def begin_event(self) -> None:
        """Clear the failure of the previous event."""
        self.failure = ""

    def end_event(self, event: str) -> None:
        """Log the failure, and mark the data centre as lost after `LOST_AFTER` failed events."""
        self._failed_in_a_row = self._failed_in_a_row + 1 if self.failure else 0
        if self.failure:
            logger.warning("Event %s: %s", event, self.failure)
        if self._failed_in_a_row == LOST_AFTER:
            self.lost = True
            logger.warning("%s is not used again in this run.", self.name)

    def _kept(self, request: Callable[[], Any]) -> Any:
        """Return a response; record a failure and raise an error that MassDownloader handles."""
        try:
            answer = request()
        except (DatasetError, FDSNException) as error:
            # Other FDSN errors are requests that are too large.
            text = str(error) if isinstance(error, DatasetError) else reason_of(error)
            self.failure = self.failure or text
            raise FDSNException(text) from error
        if not answer:
            raise FDSNNoDataException("No data available for request.")
        return answer


def near_data_centres(clients: Sequence[PoliteClient], request: Request) -> list[DataCentre]:
    """Return the data centres with stations near the region, and those that fail, as lost.

    All data centres are queried in parallel, with one request each.
    """

    def ask(client: PoliteClient) -> bool | str:
        try:
            return client.has_stations(request)
        except DatasetError as error:
            logger.warning("%s It is not used in this run.", error)
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
    logger.info("%d of %d server(s) have stations near the region.", near, len(clients))
    return found
