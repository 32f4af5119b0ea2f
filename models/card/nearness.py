"""From the strength of `near` to the noise that a graph is taken to.

Strength is the share of similarity that is lost on average, on the scale from the graph itself (0) to strangers (1):

    strength(t) = (1 - similarity(t)) / (1 - similarity(T))

The card's `similarity_curve` has similarity(t) as measured. Between its points the strength is interpolated.
"""

from itertools import pairwise

from models.card.card import ModelCard

# Of a model whose curve was not measured: roughly that of QM9's and of planar graphs.
_UNMEASURED = ((0.0, 0.0), (0.05, 0.25), (0.1, 0.5), (0.2, 0.85), (0.5, 1.0))


def noise_for_strength(card: ModelCard, strength: float) -> float:
    """t/T from which to denoise, so that about this share of similarity is lost."""
    points = [(0.0, 0.0)]
    for noise, lost in _measured(card) or _UNMEASURED[1:]:
        if lost > points[-1][1]:  # rising, whatever the noise of the measurement
            points.append((noise, lost))
    for (noise, lost), (next_noise, next_lost) in pairwise(points):
        if strength <= next_lost:
            return noise + (next_noise - noise) * (strength - lost) / (next_lost - lost)
    return points[-1][0]


def _measured(card: ModelCard) -> list[tuple[float, float]]:
    if not card.similarity_curve:
        return []
    least = min(point.similarity for point in card.similarity_curve)
    return [(point.noise, (1 - point.similarity) / max(1 - least, 1e-9)) for point in card.similarity_curve]
