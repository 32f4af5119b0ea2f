"""What schemathesis cannot know of this service; loaded by its name in `schemathesis.toml`.

The document says what every model takes; a card says what one of them takes. So that requests that keep to the document are
ones that can be met, the limits of the cards are written into the document that is fuzzed.
"""

import atexit
import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import requests
import schemathesis

from app.http.examples import IDEMPOTENCY_KEY
from models.card.card import ModelCard
from models.card.folder import read_cards

# What may be wrong with a request though every part of it is right: no schema can say so.
_BETWEEN_PARTS = re.compile(
    "|".join(
        (
            r"num_nodes: min = \d+ must not exceed max = \d+",
            r"num_nodes: \w+ was trained on graphs of .* nodes, so it cannot give \d+",
            r"keep_frames: a job keeps at most 1000 frames",
            r"candidates: qm9 draws at most 10000 graphs at once",
            r"filter: planar draws no molecules",
            # What is given must be a molecule, or a graph of the model, and a part must leave room for the rest.
            r"(given|near|smiles|graph|keep|open|closed)[\w.]*: ",
            # Patterns must be SMARTS, bounds in order.
            r"filter\.[\w.]+: ",
            r"body: give it as smiles or as graph, one of both",
            r"this Idempotency-Key came with another request before",
            # Nor what a graph turned out to be.
            r"graphs of planar are not molecules",
            r"this graph is not a valid molecule",
        )
    )
)
_answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
atexit.register(lambda: Path(os.environ["FUZZ_ANSWERS"]).write_text(json.dumps(_answers), encoding="utf-8"))


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Write the cards' limits into the requests."""
    schemas = raw_schema["components"]["schemas"]
    cards = read_cards(Path(os.environ["FUZZ_CHECKPOINTS"]))
    steerable = {name: card for name, card in cards.items() if card.properties}
    for schema, models in (("GenerateRequest", cards), ("ConditionalRequest", steerable)):
        fields = schemas[schema]["properties"]
        fields["model"]["enum"] = list(models)
        fields["num_steps"]["anyOf"][0]["maximum"] = min(card.diffusion.num_timesteps for card in models.values())
        fields["num_nodes"]["anyOf"][0]["oneOf"][0]["maximum"] = _most_nodes(models)
        # A generated address may be somebody's; webhooks are off.
        fields["webhook"] = {"type": "null"}
    for bound in schemas["SizeRange"]["properties"].values():
        bound["maximum"] = _most_nodes(cards)
    (card,) = steerable.values()
    fields["targets"] |= {
        "properties": {
            name: {"type": "number", "minimum": known.min, "maximum": known.max}
            for name, known in card.properties.items()
        },
        "additionalProperties": False,
    }
    fields["guidance_scale"]["anyOf"][0]["maximum"] = card.guidance.max_scale
    fields["candidates"]["maximum"] = card.guidance.max_candidates


def _most_nodes(cards: dict[str, ModelCard]) -> int:
    return min(card.max_nodes for card in cards.values())


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Lead some requests to where there is something: graphs of a job that has ended, or work that was not asked for before."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    parts, headers, jobs = case.path_parameters, case.headers, os.environ["FUZZ_JOBS"].split(",")
    if "number" in parts and (drawn := int(parts["number"])) % 4 < 3:
        parts |= {"job_id": jobs[drawn // 4 % len(jobs)], "number": drawn % 5}
    if headers.get("idempotency-key") == IDEMPOTENCY_KEY:
        headers["idempotency-key"] = f"{IDEMPOTENCY_KEY}-{case.id}"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether it is one: not if a request was refused for what its parts are to each other."""
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    return _BETWEEN_PARTS.match(response.json()["detail"]) is None


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count the answer, and load a model again that was unloaded: the other requests need it."""
    _answers[case.operation.label][str(response.status_code)] += 1
    sent = response.request
    if sent.method == "POST" and sent.path_url.endswith("/unload") and response.status_code == 204:
        again = requests.post(sent.url.removesuffix("unload") + "load", headers=sent.headers, timeout=60)
        again.raise_for_status()
