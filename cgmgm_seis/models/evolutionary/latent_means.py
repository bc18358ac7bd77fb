"""What scenario, places and station let expect of the latents."""

import torch
from torch import Tensor, nn

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.evolutionary.station_terms import StationTerms

_WIDTH = 16
_PLACES = ("source", "site", "path")


class LatentMeans(nn.Module):
    """The mean of the latents' prior, given the conditions of a record.

    Latents tell how a record differs from what the networks expect.  What these have not yet
    learned, the latents of all records of a station, of a path or of a magnitude have in common;
    as the mean of a conditional prior (Sohn, Lee & Yan 2015) it counts for the scenario and not for
    the scatter.  The divergence alone teaches it, without the noise of the waveforms, so that even
    a station with ten records gets its term.

    A function of the plain conditions, plus Gaussian processes of source, site and path, plus what
    a station has for itself.

    Parameters
    ----------
    n_plain : int
        Number of plain conditions.
    n_features : int
        Number of Fourier features of a place.
    n_latents : int
        Number of latents.
    n_stations : int
        Number of stations with terms of their own.
    station_length_km : float
        Correlation length of these terms, km.
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
        """Return the means (record, latent), added to the prior's constant one."""
        places = torch.cat([conditions[name] for name in _PLACES], dim=1)
        trend: Tensor = self.trend(self.hidden(conditions["plain"]))
        receivers, receiver = conditions["receiver"].unique(dim=0, return_inverse=True)
        return trend + self.places(places) + self.stations(receivers)[receiver]

    def penalty(self) -> Tensor:
        """Return minus the log density of the processes' prior, but for a constant."""
        return 0.5 * self.places.weight.square().sum() + self.stations.penalty()
