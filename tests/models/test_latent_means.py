"""The conditional mean of the latents' prior."""

import torch

from cgmgm_seis.models.evolutionary.latent_means import LatentMeans
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects


def test_the_divergence_alone_teaches_the_terms_of_stations():
    """Posterior means with terms of 1 at 20 stations and a record's scatter of 1: r above 0.85."""
    generator = torch.Generator().manual_seed(0)
    places = 40.0 * torch.rand(20, 2, generator=generator)
    true, n = torch.randn(20, 2, generator=generator), 600
    station = torch.randint(20, (n,), generator=generator)
    event = torch.arange(n) // 10
    mean = true[station] + torch.randn(n, 2, generator=generator)
    conditions = {name: torch.zeros(n, 4) for name in ("source", "site", "path")}
    conditions |= {"plain": torch.zeros(n, 3), "receiver": places[station]}
    means, effects = LatentMeans(3, 4, 2, 20, 3.0), RandomEffects(2)
    means.stations.set_places(places)
    assert not means(conditions).any()
    optimizer = torch.optim.Adam(means.parameters(), lr=0.02)
    for _ in range(200):
        divergence = effects.divergence(
            mean - means(conditions), torch.full_like(mean, -3.0), event
        )
        optimizer.zero_grad()
        (divergence + means.penalty()).backward()
        optimizer.step()
    found = means.stations(places).detach()
    assert torch.corrcoef(torch.stack([found.flatten(), true.flatten()]))[0, 1] > 0.85
