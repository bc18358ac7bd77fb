"""The means and covariances of the latents at the end of training, from all records at once."""

import torch
from torch import Tensor

from cgmgm_seis.models.base import Batch
from cgmgm_seis.models.evolutionary.latent_means import LatentMeans
from cgmgm_seis.models.evolutionary.random_effects import RandomEffects

# Steps that settle the means of the latents, and rounds of these and of the covariances.
STEPS, ROUNDS, LINE_SEARCH = 40, 3, "strong_wolfe"


def settle(
    means: LatentMeans, effects: RandomEffects, records: Batch, mean: Tensor, log_variance: Tensor
) -> None:
    """Take the latents' means and covariances to where the divergence has its minimum.

    The posteriors stay: it is one more M step, of all records at once.

    Parameters
    ----------
    means : LatentMeans
        Means given the conditions; trained unless they are fixed.
    effects : RandomEffects
        Mean and covariances of what remains.
    records : mapping
        Conditions of the training records, and the number of their "event".
    mean, log_variance : torch.Tensor
        Of their posteriors, (record, latent).
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
