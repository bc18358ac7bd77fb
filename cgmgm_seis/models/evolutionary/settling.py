"""Fit of the latents' means and covariances after training, to all records at once."""

import torch
from torch import Tensor

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.evolutionary.latent_means import LatentMeans
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects

# Steps of the fit of the means, and rounds that alternate between means and covariances.
STEPS, ROUNDS, LINE_SEARCH = 40, 3, "strong_wolfe"


def settle(
    means: LatentMeans, effects: RandomEffects, records: Batch, mean: Tensor, log_variance: Tensor
) -> None:
    """Minimise the divergence over the latents' means and covariances.

    The posteriors stay fixed: this is a final M step with all records.

    Parameters
    ----------
    means : LatentMeans
        Means given the conditions; nothing is fitted if their parameters are frozen.
    effects : RandomEffects
        Mean and covariances of the latents minus these means.
    records : mapping
        Conditions of the training records, and the number of their "event".
    mean, log_variance : torch.Tensor
        Posteriors of the latents, (record, latent).
    """
    _, event = torch.unique(records["event"], return_inverse=True)
    trained = [x for x in means.parameters() if x.requires_grad]
    if not trained:
        return
    optimizer = torch.optim.LBFGS(trained, max_iter=STEPS, line_search_fn=LINE_SEARCH)

    def loss() -> float:
        optimizer.zero_grad()
        own = mean - means(records)
        value = effects.divergence(own, log_variance, event) + means.penalty()
        value = value / len(mean)
        value.backward()
        return float(value.detach())

    for _ in range(ROUNDS):
        with torch.enable_grad():
            optimizer.step(loss)
        own = mean - means(records)
        effects.follow(own, log_variance.exp(), records["event"], momentum=1.0)
