"""The data sets there are, by name."""

from typing import Final, Literal

from models.data.dataset import GraphData
from models.data.qm9 import load_qm9
from models.data.synthetic import FAMILIES, Family, load_synthetic

DatasetName = Literal["qm9", "qm9-h"] | Family
DATASETS: Final[tuple[DatasetName, ...]] = ("qm9", "qm9-h", *FAMILIES)


def load_dataset(name: DatasetName) -> GraphData:
    """A data set, built or read from the cache."""
    match name:
        case "qm9":
            return load_qm9()
        case "qm9-h":
            return load_qm9(draw_hydrogens=True)
        case _:
            return load_synthetic(name)
