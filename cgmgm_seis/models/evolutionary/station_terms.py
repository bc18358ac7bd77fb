"""Station terms: values at every training station, with kriging between them."""

from typing import Any

import torch
from torch import Tensor, nn

# Receivers within this distance share the station-specific part, km.
SAME_KM = 0.03
# Station-specific share of the variance; the rest correlates between stations.
OWN_SHARE = 0.3
_JITTER = 1e-4
# Smaller numbers are set to 0: products with those below 1e-38 take ten times as long.
_LEAST = 1e-30


class StationTerms(nn.Module):
    """Gaussian fields given at stations: known there, by kriging elsewhere, 0 far away.

    If the covariance between places at distance d is

        k(d) = (1 - s) exp(-d / length) + s exp(-(d / 30 m)^2)

    the mean at x of a field with values t at the stations S is k(x, S) K^-1 t (Rasmussen &
    Williams 2006, chapter 2; site terms of non-ergodic models: Landwehr et al. 2016).  The second
    term is the nugget, which other places do not share.  The parameters are z in t = L z, with L
    the Cholesky factor of K; their prior is standard normal.

    Parameters
    ----------
    n_stations : int
        Number of stations.
    n_fields : int
        Number of fields.
    length_km : float
        Correlation length, km.
    """

    def __init__(self, n_stations: int, n_fields: int, length_km: float) -> None:
        super().__init__()
        self.length_km = length_km
        self.places: Tensor
        self.whitened: Tensor
        self.register_buffer("places", torch.zeros(n_stations, 2))
        self.register_buffer("whitened", torch.eye(n_stations), persistent=False)
        self.values = nn.Parameter(torch.zeros(n_stations, n_fields))
        self.register_load_state_dict_post_hook(_solve)

    def set_places(self, places: Tensor) -> None:
        """Set the coordinates of the stations (station, 2), km, and their terms to zero."""
        self.places = places.to(self.places)
        self.values = nn.Parameter(self.values.new_zeros(len(places), self.values.shape[1]))
        _solve(self)

    def forward(self, places: Tensor) -> Tensor:
        """Return the fields (record, field) at places (record, 2), km."""
        return self.covariance(places) @ (self.whitened @ self.values)

    def penalty(self) -> Tensor:
        """Return the negative log density of the prior, up to a constant."""
        return 0.5 * self.values.square().sum()

    def covariance(self, places: Tensor) -> Tensor:
        """Return the covariance (record, station) of the fields at places and at the stations."""
        # Distances from matrix products would lose the metres between nearby places.
        distance = torch.cdist(places, self.places, compute_mode="donot_use_mm_for_euclid_dist")
        smooth = torch.exp(-distance / self.length_km)
        smooth = nn.functional.threshold(smooth, _LEAST, 0.0)
        return torch.lerp(smooth, torch.exp(-((distance / SAME_KM) ** 2)), OWN_SHARE)


@torch.no_grad()
def _solve(module: StationTerms, _: Any = None) -> None:
    """Set `whitened`, L^-T, so that k(x, S) K^-1 L z = k(x, S) L^-T z."""
    covariance = module.covariance(module.places).double().cpu()
    covariance.diagonal().add_(_JITTER)
    inverse = torch.linalg.solve_triangular(
        torch.linalg.cholesky(covariance), torch.eye(len(covariance)).double(), upper=False
    )
    inverse = torch.where(inverse.abs() > _LEAST, inverse, 0.0)
    module.whitened = inverse.T.contiguous().to(module.values)
