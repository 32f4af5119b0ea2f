"""A request for graphs, from the options of a command.

A field of the request that has an option is declared once, in `RequestOptions`: `digress sample` and `digress generate`
both have it then (`app.commands.help` turns the fields into options).
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.commands.bounds import parse_bounds
from app.commands.configuration import configured_cards
from app.commands.console import CommandError
from app.commands.options import EstimatorOption, GuidanceScaleOption, SamplerOption, SeedOption, StepsOption
from app.commands.shell_completion import descriptor_prefixes, target_prefixes
from app.schemas import MAX_GRAPHS, AnyCompletedRequest, ConditionalRequest, GenerateRequest, Priority

_NEED_TARGETS = ("guidance_scale", "estimator", "candidates")


class FilterCondition(StrEnum):
    """What --filter takes: the fields of a request's `filter`."""

    VALID = "valid"
    UNIQUE = "unique"
    CONNECTED = "connected"
    STABLE = "stable"


@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """The options that describe which graphs to draw; None where an option was left out."""

    num_graphs: Annotated[
        int | None, typer.Option("-n", "--num-graphs", help="How many graphs.", min=1, max=MAX_GRAPHS, show_default="1")
    ] = None
    seed: SeedOption = None
    num_nodes: Annotated[
        str | None, typer.Option("--num-nodes", help="Nodes per graph, like 9, or a range, like 5-9.")
    ] = None
    num_steps: StepsOption = None
    sampler: SamplerOption = None
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="Wanted property value, like mu=2.5; repeatable. `digress models` lists them.",
            autocompletion=target_prefixes,
        ),
    ] = None
    guidance_scale: GuidanceScaleOption = None
    estimator: EstimatorOption = None
    candidates: Annotated[
        int | None,
        typer.Option(help="Graphs drawn for each one kept: the one predicted nearest to the targets.", min=1),
    ] = None
    keep: Annotated[
        str | None,
        typer.Option(
            help="Part of a molecule to keep, as SMILES; * marks where the rest may attach, like 'c1ccccc1*'."
        ),
    ] = None
    formula: Annotated[
        str | None, typer.Option(help="Atoms of the whole molecule: C7NO2 without hydrogens, or C7H9NO2 with them.")
    ] = None
    near: Annotated[str | None, typer.Option(help="Molecule that the graphs are like, as SMILES.")] = None
    strength: Annotated[
        float | None,
        typer.Option(
            help="Share of the similarity to --near that is lost: 0 gives it back, 1 gives strangers.",
            min=0,
            max=1,
            show_default="0.3",
        ),
    ] = None
    filter: Annotated[
        list[FilterCondition] | None,
        typer.Option("--filter", help="Draw others in place of graphs that do not meet this; repeatable."),
    ] = None
    contains: Annotated[
        list[str] | None, typer.Option(help="Part that each molecule must contain, as SMARTS; repeatable.")
    ] = None
    lacks: Annotated[
        list[str] | None, typer.Option(help="Part that no molecule may contain, as SMARTS; repeatable.")
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Exact property of each molecule, like 'logp>1' or 'sa<=4'; repeatable.",
            autocompletion=descriptor_prefixes,
        ),
    ] = None
    diverse: Annotated[
        float | None,
        typer.Option(help="Least distance between any two molecules: 1 less their similarity.", min=0, max=1),
    ] = None
    descriptors: Annotated[
        bool, typer.Option("--descriptors", help="Add exact properties to valid molecules: weight, logP, SA score, …")
    ] = False

    def request_fields(self) -> dict[str, Any]:
        """The fields of a request that these options set.

        Raises:
            CommandError: if an option cannot be parsed, or there is nothing to steer to.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        target, num_nodes = values.pop("target"), values["num_nodes"]
        values["num_nodes"] = None if num_nodes is None else _parse_sizes(num_nodes)
        values["targets"] = _parse_targets(target or []) or None
        conditions = dict.fromkeys(values["filter"] or [], True)
        properties = parse_bounds(values.pop("where") or []) or None
        others = {name: values.pop(name) or None for name in ("contains", "lacks", "diverse")}
        values["filter"] = conditions | _present(properties=properties, **others) or None
        values["descriptors"] = values["descriptors"] or None
        values["given"] = _present(smiles=values.pop("keep"), formula=values.pop("formula")) or None
        strength = values.pop("strength")
        if strength is not None and values["near"] is None:
            raise CommandError("--strength is how unlike --near the graphs are, and there is none")
        values["near"] = _present(smiles=values["near"], strength=strength) or None
        given = _present(**values)
        if "targets" not in given and (steering := [name for name in _NEED_TARGETS if name in given]):
            raise CommandError(f"--{steering[0].replace('_', '-')} steers to a --target, and there is none")
        return given


@dataclass(frozen=True, kw_only=True)
class QueuedRequestOptions(RequestOptions):
    """`RequestOptions` for a server, which has a queue."""

    priority: Annotated[
        Priority | None, typer.Option(help="Share of the workers: 16, 4 or 1.", show_default="normal")
    ] = None


def complete_request(model: str, **fields: Any) -> AnyCompletedRequest:
    """A request for `model` with every default filled in; conditional if there are targets."""
    from app.catalogue.validation import complete, find_card

    kind = ConditionalRequest if fields.get("targets") else GenerateRequest
    return complete(kind.model_validate({"model": model, **_present(**fields)}), find_card(model, configured_cards()))


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _parse_targets(texts: list[str]) -> dict[str, float]:
    targets = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in targets:
            raise CommandError(f"--target gives {name} twice; a graph can have only one")
        try:
            targets[name] = float(value)
        except ValueError:
            raise CommandError(f"--target takes property=value, like mu=2.5, not {text!r}") from None
    return targets


def _parse_sizes(text: str) -> int | dict[str, int]:
    low, dash, high = text.partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise CommandError(f"--num-nodes takes a number, like 9, or a range, like 5-9, not {text!r}")
    return {"min": int(low), "max": int(high)} if dash else int(low)
