"""The networks of CGM-GM: posterior and prior of the latents, and the decoder."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from cgmgm_seis.models.collectives import BatchNorm
from cgmgm_seis.models.step import Step


class SequenceEncoder(nn.Module):
    """Posterior of the latents: GRU over the frames, batch norm, and an MLP for each moment."""

    def __init__(self, input_size: int, embedding_size: int, n_latents: int) -> None:
        super().__init__()
        width = 128 + embedding_size
        self.gru = nn.GRU(input_size + embedding_size, width, batch_first=True)
        self.norm = BatchNorm(width)
        self.mean = mlp(width, 64, n_latents)
        self.log_variance = mlp(width, 64, n_latents)

    def forward(self, frames: Tensor, condition: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (record, frame, latent).

        Parameters
        ----------
        frames : torch.Tensor
            Scaled log amplitudes, (record, frame, component * bin).
        condition : torch.Tensor
            Shape (record, embedding), or (record, frame, embedding) where it varies.
        inside : torch.Tensor
            True for frames within the records' spans, (record, frame); the others are not used.
        """
        repeated = every_frame(condition, frames.shape[1])
        used = frames * inside[:, :, None]
        hidden, _ = self.gru(torch.cat([used, repeated], dim=-1))
        rows = self.norm(hidden[inside])
        normed = rows.new_zeros(hidden.shape)
        normed[inside] = rows
        return self.mean(normed), self.log_variance(normed)


class LatentPrior(nn.Module):
    """Prior of the latents: a GRU whose input is the previous latent and the conditions."""

    def __init__(
        self, n_latents: int, embedding_size: int, width: int, published: bool = False
    ) -> None:
        super().__init__()
        self.published = published
        self.gru = nn.GRU(n_latents + embedding_size, width, batch_first=True)
        self.mean = nn.Linear(width, n_latents)
        self.log_variance = nn.Linear(width, n_latents)

    def forward(
        self, latents: Tensor, condition: Tensor, heard: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the moments of every latent given the previous ones, in one pass over the frames.

        This is p(z_t | z_<t) of a variational recurrent network (Chung et al. 2015), where the
        previous latents are samples of the posterior.

        Parameters
        ----------
        latents : torch.Tensor
            Shape (record, frame, latent).
        condition : torch.Tensor
            Shape (record, embedding), or (record, frame, embedding) where it varies.
        heard : torch.Tensor, optional
            Shape (record, frame), 0 where this latent is not an input of the next frame.
        """
        if heard is not None:
            latents = latents * heard[..., None]
        past = torch.cat([torch.zeros_like(latents[:, :1]), latents[:, :-1]], dim=1)
        repeated = every_frame(condition, latents.shape[1])
        hidden, _ = self.gru(torch.cat([past, repeated], dim=-1))
        return self.mean(hidden), self.log_variance(hidden)

    def roll(
        self, condition: Tensor, noise: Tensor, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw latents one after the other; return them with the means and log variances.

        For speed, the condition's contribution to the gates is computed in advance, and both
        moments in one matrix product.

        Parameters
        ----------
        condition : torch.Tensor
            Shape (record, embedding), or (record, frame, embedding) where it varies.
        noise : torch.Tensor
            Standard normal, shape (record, frame, latent), which is the shape of the results.
        start : torch.Tensor, optional
            Shape (record, latent), the latent before the first frame; by default zeros.
        """
        n_latents = noise.shape[-1]
        weight, hidden_weight, bias, hidden_bias = self.gru.all_weights[0]
        input_weight, condition_weight = weight.split([n_latents, condition.shape[-1]], dim=1)
        condition_gates = nn.functional.linear(condition, condition_weight, bias)
        moment_weight = torch.cat([self.mean.weight, self.log_variance.weight])
        moment_bias = torch.cat([self.mean.bias, self.log_variance.bias])
        hidden = condition.new_zeros(len(condition), self.gru.hidden_size)
        latent = noise.new_zeros(len(noise), n_latents) if start is None else start
        draws = []
        gates_of_frames = every_frame(condition_gates, noise.shape[1]).unbind(dim=1)
        for draw, condition_gates in zip(noise.unbind(dim=1), gates_of_frames, strict=True):
            gates = torch.addmm(condition_gates, latent, input_weight.T)
            state = torch.addmm(hidden_bias, hidden, hidden_weight.T)
            reset, update, candidate = gates.chunk(3, dim=1)
            reset_state, update_state, candidate_state = state.chunk(3, dim=1)
            update = torch.sigmoid(update + update_state)
            candidate = torch.tanh(candidate + torch.sigmoid(reset + reset_state) * candidate_state)
            hidden = torch.lerp(candidate, hidden, update)
            mean, log_variance = torch.addmm(moment_bias, hidden, moment_weight.T).chunk(2, dim=1)
            latent = mean + deviation(log_variance, self.published) * draw
            draws.append(torch.stack([latent, mean, log_variance]))
        latents, means, log_variances = torch.stack(draws, dim=2)
        return latents, means, log_variances


def deviation(log_variance: Tensor, published: bool = False) -> Tensor:
    """Return the standard deviation of latents, or what the published code uses in its place."""
    return 0.5 * torch.exp(log_variance) if published else torch.exp(0.5 * log_variance)


def heard_past(latents: Tensor, step: Step) -> Tensor:
    """Return a mask (record, frame) of the latents that are the prior's input in training.

    A prior that receives all previous latents relies on them: it takes the amplitude of a record
    from the frame before instead of from magnitude and distance, and fails when it has to start a
    record.  It therefore receives a random share of them, between none and all, as in the word
    dropout of Bowman et al. (2016).
    """
    share = step.uniform(latents[:, :1, 0])
    draws = step.uniform(latents[:, :, 0])
    return (draws < share).to(latents.dtype)


def every_frame(values: Tensor, n_frames: int) -> Tensor:
    """Return values (record, value), or (record, frame, value), for all frames of each record."""
    return values if values.dim() == 3 else values[:, None].expand(-1, n_frames, -1)


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers of the given widths with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def decode(decoder: nn.Sequential, latents: Tensor, condition: Tensor) -> Tensor:
    """Return scaled log amplitudes (record, frame, component * bin).

    The decoder's input is (latent, condition) in every frame; the contribution to the first layer
    of a condition that is the same in all frames is computed once.
    """
    first, *rest = decoder
    assert isinstance(first, nn.Linear)
    weight, condition_weight = first.weight.split([latents.shape[-1], condition.shape[-1]], dim=1)
    once = nn.functional.linear(condition, condition_weight, first.bias)
    output = nn.functional.linear(latents, weight) + every_frame(once, latents.shape[1])
    for layer in rest:
        output = layer(output)
    return output
