"""From the strength of `near` to the noise that a graph is taken to.

Strength is the share of similarity that is lost on average, on the scale from the graph itself (0) to strangers (1):

    strength(t) = (1 - similarity(t)) / (1 - similarity(T))

`digress evaluate MODEL --given near --save` puts similarity(t) into the card. Between what was measured, the strength is interpolated.
"""

from itertools import pairwise

from models.card.card import ModelCard

# Of a model for which that was not measured: roughly what it is for `qm9`.
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
    """(t/T, strength), by the measurement of this version on the most graphs."""
    rows = [row for row in card.given_metrics if row.kind == "near" and row.version == card.version]
    if not rows:
        return []
    similarity = max(rows, key=lambda row: row.num_graphs).similarity
    least = min(similarity.values())
    return [(noise, (1 - kept) / max(1 - least, 1e-9)) for noise, kept in sorted(similarity.items())]
