"""All features, in the order in which a network reads them.

A new feature is a file beside this one, with a class after `models.features.feature.Feature`, and a line at the end of `FEATURES`.
Whether a model has it, a field of `models.card.config.FeatureConfig` says. The order is part of what weights mean: never change
it, and add at the end only.
"""

from collections.abc import Sequence
from typing import Final

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.basic import Categories, Degree, Size, Time
from models.features.cycles import CycleFeature, SixCycleFeature
from models.features.feature import Feature
from models.features.molecular import MolecularFeature
from models.features.random_walks import RandomWalkFeature
from models.features.resistance import ResistanceFeature
from models.features.spectrum import SpectralFeature

FEATURES: Final[Sequence[type[Feature]]] = (
    Categories,
    Degree,
    Time,
    Size,
    RandomWalkFeature,
    CycleFeature,
    SixCycleFeature,
    SpectralFeature,
    ResistanceFeature,
    MolecularFeature,
)


def features_of(card: ModelCard, config: FeatureConfig) -> list[Feature]:
    """The features that `config` asks for, made for the graphs of a card."""
    made = (kind.of(card, config) for kind in FEATURES)
    return [feature for feature in made if feature is not None]
