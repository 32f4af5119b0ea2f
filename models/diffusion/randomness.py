"""Random numbers that belong to a graph, not to a batch.

Every uniform number is a pure function of (seed of the graph, step, stream, position), by SplitMix64's finaliser
applied to a counter (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"):

    u = top 24 bits of mix(mix(mix(seed + γ·step) + γ·stream) + γ·position) · 2⁻²⁴

So a graph does not depend on its batch mates, on padding, on when it joined a batch, or on a retry. Everything
is 64-bit integer arithmetic modulo 2⁶⁴, which torch does alike on every device.

Axes: b graphs, … positions.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

SIZE_STREAM, NODE_STREAM, EDGE_STREAM, TIME_STREAM, CHOICE_STREAM = range(5)
CANDIDATE_STREAM, PROPOSAL_STREAM, GIVEN_STREAM = 5, 6, 8

_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_MULTIPLIER_1 = 0xBF58476D1CE4E5B9 - 2**64
_MULTIPLIER_2 = 0x94D049BB133111EB - 2**64
_SEED_BITS = 53
_UNIFORM_BITS = 24


def graph_seeds(seed: int, indices: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """The seeds of graphs number `indices` of a request whose seed is `seed` (any integer below 2⁶³).

    They have 53 bits, so that JSON carries them exactly to every language.
    """
    request = torch.tensor(seed, dtype=torch.int64, device=indices.device)
    return _shift(_mix(_mix(request) + indices * _GAMMA), 64 - _SEED_BITS)


def offspring_seeds(seeds: Int[Tensor, " b"], count: int, *, stream: int) -> Int[Tensor, "b m"]:
    """`count` seeds for each one given, others in every stream; the first is the given one itself."""
    ordinal = torch.arange(count, device=seeds.device)
    others = _shift(_mix(_mix(seeds + _offset(stream))[:, None] + ordinal * _GAMMA), 64 - _SEED_BITS)
    return torch.where(ordinal == 0, seeds[:, None], others)


def uniforms(
    seeds: Int[Tensor, " b"], *, step: Int[Tensor, " b"], stream: int, positions: Int[Tensor, "..."]
) -> Float[Tensor, "b ..."]:
    """One number in [0, 1) per graph and position, the same for the same arguments always."""
    state = _mix(seeds + step * _GAMMA)
    state = _mix(state + _offset(stream))
    state = state.view(-1, *[1] * positions.ndim) + positions * _GAMMA
    return _shift(_mix(state), 64 - _UNIFORM_BITS).float() * 2.0**-_UNIFORM_BITS


def pair_positions(max_nodes: int, device: torch.device) -> Int[Tensor, "n n"]:
    """A number for each unordered pair that does not change with padding: j (j - 1)/2 + i for i < j."""
    index = torch.arange(max_nodes, device=device)
    high, low = torch.maximum(index[:, None], index), torch.minimum(index[:, None], index)
    return high * (high - 1) // 2 + low


def draw(probs: Float[Tensor, "... k"], uniform: Float[Tensor, "..."]) -> Int[Tensor, "..."]:
    """The category that `uniform` selects by the inverse of the cumulative distribution."""
    cumulative = probs.cumsum(-1)
    chosen = (cumulative <= (uniform * cumulative[..., -1])[..., None]).sum(-1)
    return chosen.clamp(max=probs.shape[-1] - 1)


def _offset(stream: int) -> int:
    """γ · stream modulo 2⁶⁴, as a signed number; no tensor, which a GPU would have to be sent."""
    return (stream * _GAMMA + 2**63) % 2**64 - 2**63


def _mix(z: Tensor) -> Tensor:
    z = (z ^ _shift(z, 30)) * _MULTIPLIER_1
    z = (z ^ _shift(z, 27)) * _MULTIPLIER_2
    return z ^ _shift(z, 31)


def _shift(z: Tensor, bits: int) -> Tensor:
    """A right shift that brings in zeros: torch's own copies the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
