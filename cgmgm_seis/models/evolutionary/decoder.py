"""Decoder: from conditions and latents to the spectra of noise, P and S, and arrival times."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# Widths of the embedded sources, sites and paths.
SOURCE, SITE, PATH = 12, 24, 24
# Maximum number of frequencies at which networks give log spectra, and log envelope shares.
SPECTRUM_NODES, SHARE_NODES = 36, 16
# Natural logarithms per unit of output.
OUTPUT_SCALE = 3.0
# Seconds, and share of the travel time, per unit of output for the delays.
DELAY_SCALE, SLOWNESS_SCALE = 0.1, 0.03


class Spectra(NamedTuple):
    """Spectra at the bins of the spectrogram.

    Parameters
    ----------
    noise : torch.Tensor
        Power spectral density, (record, component, bin).
    waves : torch.Tensor
        Energy spectra of P and S by envelope, (record, wave, envelope, component, bin).
    """

    noise: Tensor
    waves: Tensor


class SpectralDecoder(nn.Module):
    """Networks from a scenario and latents to log spectra.

    The log spectra are the sum of a nonlinear function of magnitude, depth, distance, site and
    path, a linear function of source, site and path, and a function that is linear in the latents,
    with loadings that depend on magnitude.  Source, site and path are linear functions of Fourier
    features (`cgmgm_seis.models.evolutionary.places`), hence smooth.  The source is not an input
    of the nonlinear function, which could memorise the training events and leave no scatter
    between events.

    Parameters
    ----------
    n_plain : int
        Number of plain conditions.
    n_features : int
        Number of Fourier features of a place.
    n_latents : int
        Number of latents.
    n_components, n_bins, n_envelopes : int
        Numbers of components, frequency bins and envelopes of the spectra.
    width : int
        Width of the hidden layers.
    """

    def __init__(
        self,
        n_plain: int,
        n_features: int,
        n_latents: int,
        n_components: int,
        n_bins: int,
        n_envelopes: int,
        width: int,
    ) -> None:
        super().__init__()
        self.n_components, self.n_envelopes = n_components, n_envelopes
        self.nodes: Tensor
        self.share_nodes: Tensor
        self.noise_level: Tensor
        self.wave_level: Tensor
        self.register_buffer("nodes", _interpolation(n_bins, SPECTRUM_NODES), persistent=False)
        self.register_buffer("share_nodes", _interpolation(n_bins, SHARE_NODES), persistent=False)
        self.register_buffer("noise_level", torch.zeros(n_components, n_bins))
        self.register_buffer("wave_level", torch.zeros(n_components, n_bins))

        self.source = nn.Linear(n_features, SOURCE, bias=False)
        self.site = nn.Linear(n_features, SITE, bias=False)
        self.path = nn.Linear(n_features, PATH, bias=False)
        self.reach = nn.Sequential(nn.Linear(n_plain, 16), nn.Tanh(), nn.Linear(16, PATH))
        n_nodes, n_share_nodes = len(self.nodes), len(self.share_nodes)
        self.sizes = [
            n_components * n_nodes,
            2 * n_components * n_nodes,
            2 * n_envelopes * n_components * n_share_nodes,
        ]
        n_outputs = sum(self.sizes)
        self.trunk = nn.Sequential(
            nn.Linear(n_plain + SITE + PATH, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.output = nn.Linear(width, n_outputs)
        self.places = nn.Linear(SOURCE + SITE + PATH, n_outputs, bias=False)
        self.loadings = nn.Linear(2 * n_latents, n_outputs, bias=False)
        self.delay = nn.Linear(3 * n_features, 4, bias=False)
        for layer in (self.output, self.places, self.delay):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.output.bias)
        nn.init.normal_(self.loadings.weight, std=0.05)
        for layer in (self.source, self.site, self.path):
            nn.init.normal_(layer.weight, std=0.3)

    def forward(self, conditions: Mapping[str, Tensor]) -> Tensor:
        """Return outputs without latents, (record, output).

        Parameters
        ----------
        conditions : mapping
            "plain" (record, condition), and Fourier features (record, feature) of the "source",
            the "site" and the "path".
        """
        plain = conditions["plain"]
        source = self.source(conditions["source"])
        site = self.site(conditions["site"])
        # The effect of a path grows with its length; the network learns how.
        path = self.path(conditions["path"]) * (1.0 + self.reach(plain))
        hidden = self.trunk(torch.cat([plain, site, path], dim=1))
        places = self.places(torch.cat([source, site, path], dim=1))
        return self.output(hidden) + places

    def delays(self, conditions: Mapping[str, Tensor]) -> Tensor:
        """Return the corrections (record, wave), s, to the "times" of the 1-D table.

        The sum of a constant and a share of the travel time, both linear in the Fourier features.
        """
        places = [conditions[name] for name in ("source", "site", "path")]
        constant, share = self.delay(torch.cat(places, dim=1)).chunk(2, dim=1)
        return DELAY_SCALE * constant + SLOWNESS_SCALE * share * conditions["times"]

    @torch.no_grad()
    def smooth_sites(self, features: Tensor, nugget: float) -> None:
        """Smooth the embedding of sites between stations, nearly keeping its values at stations.

        Training determines the embedding at the stations only.  It is linear in Fourier features,
        and is replaced by the Gaussian-process mean given its values at the stations (ridge
        regression: Rasmussen & Williams 2006, chapter 2), which does not oscillate between
        neighbouring stations with different values.

        Parameters
        ----------
        features : torch.Tensor
            Fourier features of the training stations, (station, feature).
        nugget : float
            Standard deviation of the station-specific part, over that of the process.
        """
        stations = features.double()
        covariance = stations @ stations.T
        covariance.diagonal().add_(nugget**2)
        fit = torch.linalg.solve(covariance, stations).T @ stations
        self.site.weight.copy_(self.site.weight.double() @ fit)

    def with_latents(self, output: Tensor, latents: Tensor, magnitude: Tensor) -> Tensor:
        """Add the effect of latents (record, latent) to outputs.

        The loadings are linear in the scaled magnitude (record,): stress drop, for example, affects
        only frequencies above the corner frequency.  With more freedom they would be arbitrary
        where noise hides the waves, at low frequencies of small earthquakes.
        """
        return output + self.loadings(torch.cat([latents, latents * magnitude[:, None]], dim=1))

    def loading_steps(self, spread: Tensor) -> Tensor:
        """Return the mean squared step of the waves' ln energies between nodes, due to latents.

        Summed over waves, components and nodes, and averaged over a small, a medium and a large
        magnitude.  The latents are `spread` (latent, latent) times standard normal numbers.
        """
        loadings = torch.stack([self.energy_loadings(magnitude) for magnitude in (-1.0, 0.0, 1.0)])
        return (loadings.diff(dim=3) @ spread).square().sum() / len(loadings)

    def energy_loadings(self, magnitude: float) -> Tensor:
        """Return the effect of latents on the waves' ln energies at a scaled magnitude.

        Returns
        -------
        torch.Tensor
            Shape (wave, component, node, latent).
        """
        energies = slice(self.sizes[0], self.sizes[0] + self.sizes[1])
        constant, slope = self.loadings.weight[energies].chunk(2, dim=1)
        loadings = OUTPUT_SCALE * (constant + magnitude * slope)
        return loadings.unflatten(0, (2, self.n_components, -1))

    def spectra(self, output: Tensor) -> Spectra:
        """Return the spectra for outputs of `forward` or `with_latents`."""
        noise, energy, share = (OUTPUT_SCALE * output).split(self.sizes, dim=1)
        shape = (2, self.n_envelopes, self.n_components, -1)
        noise = noise.unflatten(1, shape[2:]) @ self.nodes + self.noise_level
        energy = energy.unflatten(1, (2, 1, *shape[2:])) @ self.nodes + self.wave_level
        share = torch.softmax(share.unflatten(1, shape) @ self.share_nodes, dim=2)
        return Spectra(torch.exp(noise), torch.exp(energy) * share)


def _interpolation(n_bins: int, n_nodes: int) -> Tensor:
    """Return the matrix (node, bin) of linear interpolation; nodes are denser at low bins."""
    nodes: NDArray[np.int64] = np.unique(np.geomspace(1, n_bins, n_nodes).round().astype(int)) - 1
    rows = [np.interp(np.arange(n_bins), nodes, row) for row in np.eye(len(nodes))]
    return torch.as_tensor(np.stack(rows), dtype=torch.float32)
