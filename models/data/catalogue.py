"""The data sets there are, by name."""

from typing import Literal

from models.data.dataset import GraphData
from models.data.qm9 import load_qm9
from models.data.synthetic import Family, load_synthetic

DatasetName = Literal["qm9"] | Family


def load_dataset(name: DatasetName) -> GraphData:
    """A data set, built or read from the cache."""
    return load_qm9() if name == "qm9" else load_synthetic(name)
