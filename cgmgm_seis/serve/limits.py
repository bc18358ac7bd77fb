"""What one request to the service may ask for, and the error of one that cannot be answered."""

from dataclasses import dataclass

from cgmgm_seis.errors import CgmgmError


class RequestError(CgmgmError):
    """A request cannot be answered; the message is the body of the answer.

    Parameters
    ----------
    message : str
        One sentence.
    status : int
        Status of the answer, for example 400 (wrong), 413 (too large) or 503 (busy).
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """The largest request that is answered.

    Parameters
    ----------
    stations : int
        Receivers of a request to Syngine.
    samples : int
        Samples of the answer, all traces together.
    body_bytes : int
        Size of the body of a POST request, bytes.
    seconds : float
        Time from the arrival of a request to its answer, s; later it is answered with 503.
    waiting : int
        Requests that wait for the model or are being answered; further ones are answered with 503.
    map_records : int
        Records of a map on the page: nodes times realizations.
    """

    stations: int = 200
    samples: int = 20_000_000
    body_bytes: int = 1_000_000
    seconds: float = 120.0
    waiting: int = 64
    map_records: int = 8000

    def check_stations(self, count: int) -> None:
        """Raise an error if a request has too many receivers."""
        if count > self.stations:
            raise RequestError(
                f"The request has {count} receivers; this server allows at most {self.stations}.",
                413,
            )

    def check_samples(self, count: int) -> None:
        """Raise an error if an answer would have too many samples."""
        if count > self.samples:
            raise RequestError(
                f"The answer would have {count} samples; this server allows at most "
                f"{self.samples}: ask for fewer stations or a shorter time.",
                413,
            )

    def check_map(self, count: int) -> None:
        """Raise an error if a map would need too many records."""
        if count > self.map_records:
            raise RequestError(
                f"The map would need {count} records; this server allows at most "
                f"{self.map_records}: ask for fewer realizations.",
                413,
            )
