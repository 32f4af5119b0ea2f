import torch

from models.card.config import FeatureConfig
from models.features.catalogue import FEATURES, features_of
from models.features.feature import NoisyGraph, Widths
from models.graphs import GraphBatch
from tests.conftest import make_card, make_denoiser, random_graphs

EVERYTHING = FeatureConfig(
    random_walk_powers=4, cycles=True, six_cycles=True, eigenvalues=3, resistance=True, molecular=True
)
NOTHING = FeatureConfig(
    random_walk_powers=0, cycles=False, six_cycles=False, eigenvalues=0, resistance=False, molecular=False
)


def as_noisy(graph: GraphBatch) -> NoisyGraph:
    noise, t = make_denoiser(make_card()).noise, torch.arange(len(graph))
    categories = noise.one_hot(graph)
    adjacency = (graph.edges > 0).float()
    return NoisyGraph(
        categories.nodes,
        categories.edges,
        adjacency,
        graph.node_mask,
        graph.edge_mask,
        graph.num_nodes,
        t,
        noise.alpha_bar[t].float(),
        noise.num_timesteps,
    )


def test_every_feature_is_as_wide_as_it_says() -> None:
    features = features_of(make_card(), EVERYTHING)
    noisy = as_noisy(random_graphs([9, 1, 6]))

    for feature in features:
        values = feature(noisy)
        widths = (0 if part is None else part.shape[-1] for part in (values.nodes, values.pairs, values.graph))
        assert Widths(*widths) == feature.widths, type(feature).__name__


def test_settings_leave_out_all_but_what_every_network_reads() -> None:
    everything, nothing = (features_of(make_card(), config) for config in (EVERYTHING, NOTHING))

    assert [type(feature) for feature in everything] == list(FEATURES)
    assert [type(feature).__name__ for feature in nothing] == ["Categories", "Degree", "Time", "Size"]


def test_features_add_nothing_to_a_checkpoint() -> None:
    denoiser = make_denoiser(make_card(features=EVERYTHING))

    assert not [name for name in denoiser.state_dict() if name.startswith(("inputs", "noise"))]


def test_the_order_that_weights_depend_on_is_as_it_was() -> None:
    # A new feature goes to the end.
    assert [kind.__name__ for kind in FEATURES][:10] == [
        "Categories",
        "Degree",
        "Time",
        "Size",
        "RandomWalkFeature",
        "CycleFeature",
        "SixCycleFeature",
        "SpectralFeature",
        "ResistanceFeature",
        "MolecularFeature",
    ]
