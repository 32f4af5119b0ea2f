"""The data sets there are: those of this package by name, and files of the user's own by path."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jaxtyping import Float
from torch import Tensor

from models.data import qm9, zinc250k
from models.data.dataset import GraphData
from models.data.own import load_file
from models.data.qm9 import PropertySource
from models.data.synthetic import FAMILIES, Family, load_synthetic

DatasetName = Literal["qm9", "qm9-h", "zinc250k"] | Family
DATASETS: Final[tuple[DatasetName, ...]] = ("qm9", "qm9-h", "zinc250k", *FAMILIES)


@dataclass(frozen=True)
class LabelledData:
    """A data set whose graphs have properties."""

    graphs: GraphData
    properties: list[PropertySource]
    values: dict[str, Float[Tensor, "b p"]]
    """The properties of each split's graphs, in the same order."""


def load_dataset(source: str) -> GraphData:
    """A data set by name, built or read from the cache, or a file's.

    Raises:
        DataFileError: if a file holds no graphs to learn from.
        OSError: if there is neither a data set nor a file of that name.
    """
    match source:
        case "qm9":
            return qm9.load_qm9()
        case "qm9-h":
            return qm9.load_qm9(draw_hydrogens=True)
        case "zinc250k":
            return zinc250k.load_zinc250k()
        case "planar" | "tree" | "sbm" | "comm20":
            return load_synthetic(source)
        case _:
            return load_file(Path(source)).graphs


def load_labelled(source: str) -> LabelledData:
    """A data set with its properties: QM9, or a file's.

    Raises:
        DataFileError: if a file holds no graphs to learn from.
        OSError: if there is neither a data set with properties nor a file of that name.
    """
    if source == "qm9":
        return LabelledData(qm9.load_qm9(), list(qm9.PROPERTIES), qm9.load_properties())
    return labelled_file(Path(source))


def labelled_file(path: Path) -> LabelledData:
    """A file's data set with its properties, whatever the file is called.

    Raises:
        DataFileError: if the file holds no graphs to learn from.
        OSError: if there is no such file.
    """
    own = load_file(path)
    described = [PropertySource(name, "", f"{name} in {own.graphs.name}") for name in own.properties]
    return LabelledData(own.graphs, described, own.values)
