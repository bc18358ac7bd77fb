"""Expected latents given scenario, places and station."""

import torch
from torch import Tensor, nn

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.evolutionary.station_terms import StationTerms

_WIDTH = 16
_PLACES = ("source", "site", "path")


class LatentMeans(nn.Module):
    """Mean of the latents' prior, given the conditions of a record.

    Latents describe how a record differs from what the decoder expects.  What the decoder has not
    yet learned is common to the latents of all records of a station, a path or a magnitude; as the
    mean of a conditional prior (Sohn, Lee & Yan 2015) it becomes part of the scenario and not of
    the scatter.  It is trained by the divergence alone, without the noise of the waveforms, so that
    even ten records are enough for the term of a station.

    The mean is a function of the plain conditions, plus Gaussian processes of source, site and
    path, plus a station term.

    Parameters
    ----------
    n_plain : int
        Number of plain conditions.
    n_features : int
        Number of Fourier features of a place.
    n_latents : int
        Number of latents.
    n_stations : int
        Number of stations with a station term.
    station_length_km : float
        Correlation length of the station terms, km.
    """

    def __init__(
        self,
        n_plain: int,
        n_features: int,
        n_latents: int,
        n_stations: int,
        station_length_km: float,
    ) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_plain, _WIDTH), nn.Tanh())
        self.trend = nn.Linear(_WIDTH, n_latents)
        self.places = nn.Linear(len(_PLACES) * n_features, n_latents, bias=False)
        self.stations = StationTerms(n_stations, n_latents, station_length_km)
        for weights in (self.trend.weight, self.trend.bias, self.places.weight):
            nn.init.zeros_(weights)

    def forward(self, conditions: Batch) -> Tensor:
        """Return the means (record, latent), which are added to the constant mean of the prior."""
        places = torch.cat([conditions[name] for name in _PLACES], dim=1)
        trend: Tensor = self.trend(self.hidden(conditions["plain"]))
        receivers, receiver = conditions["receiver"].unique(dim=0, return_inverse=True)
        return trend + self.places(places) + self.stations(receivers)[receiver]

    def penalty(self) -> Tensor:
        """Return the negative log density of the processes' prior, up to a constant."""
        return 0.5 * self.places.weight.square().sum() + self.stations.penalty()
