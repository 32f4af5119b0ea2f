"""`digress models`: list the checkpoints."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.commands.configuration import configured_cards
from app.jobs.observability.escaping import visible


def models(as_json: Annotated[bool, typer.Option("--json", help="The whole cards, as a JSON array.")] = False) -> None:
    """List the checkpoints and their measured quality.

    Examples:
        digress models
        DIGRESS_CHECKPOINTS=runs/molecules digress models --json
    """
    known = configured_cards()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in known.values()], indent=2))
        return
    # A description is anybody's text: neither markup nor what a terminal would obey.
    table = Table("model", "graphs", "nodes", "default steps", "steers to", "measured")
    for card in known.values():
        shown = "–"
        if quality := card.quality:
            values = ", ".join(f"{name} {value:.4g}" for name, value in quality.headline.items())
            shown = f"{quality.num_graphs:,} samples: {values}"
        steers_to = ", ".join(card.properties) or "–"
        table.add_row(
            card.name,
            Text(
                visible(card.description) + (f" (unfinished: {', '.join(card.unfinished)})" if card.unfinished else "")
            ),
            f"{card.min_nodes}–{card.max_nodes}",
            str(card.sampling.num_steps),
            steers_to,
            shown,
        )
    Console().print(table)
