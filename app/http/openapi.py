"""What /openapi.json says about all routes: their errors, and the headers of all responses.

A problem is described once per status, under `components.responses`, with an example; `problems` gives routes references
to it. A method that a path does not accept (405) belongs to no route, so it is described there only.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from app.http.errors import PROBLEM_MEDIA_TYPE
from app.http.examples import JOB_ID, named_examples
from app.http.limits import MAX_BODY_SECONDS
from app.schemas import FieldProblem, Problem

_TOO_MANY = "Input should be less than or equal to 10000, not 20000"
# The answers to the requests that tests/app/http/test_openapi.py sends.
_DETAILS = {
    HTTPStatus.BAD_REQUEST: "Prefer: wait takes whole seconds from 1 to 60, not '90'",
    HTTPStatus.UNAUTHORIZED: "a key is needed: send the header 'Authorization: Bearer KEY'",
    HTTPStatus.FORBIDDEN: "only an admin key allows this: DIGRESS_ADMIN_KEY, or one made with `digress keys create NAME --admin`",
    HTTPStatus.NOT_FOUND: f"there is no job '{JOB_ID}'; a job is kept for 86400 seconds after it ended",
    HTTPStatus.METHOD_NOT_ALLOWED: f"/jobs/{JOB_ID} does not accept PUT; see /docs",
    HTTPStatus.NOT_ACCEPTABLE: "graphs of planar are not molecules, so they have no SD file",
    HTTPStatus.REQUEST_TIMEOUT: f"the body did not arrive within {MAX_BODY_SECONDS:g} seconds",
    HTTPStatus.CONFLICT: "the job is queued; its graphs are available once it has ended",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body must not exceed 65536 bytes",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "send JSON, with the header 'content-type: application/json'",
    HTTPStatus.UNPROCESSABLE_ENTITY: f"num_graphs: {_TOO_MANY}",
    HTTPStatus.MISDIRECTED_REQUEST: "this service does not answer for the host 'digress.example'; "
    "whoever runs it names its hosts in DIGRESS_ALLOWED_HOSTS",
    HTTPStatus.TOO_MANY_REQUESTS: "the key 'chemistry' allows 60 submissions a minute",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal error; the fault is logged",
    HTTPStatus.SERVICE_UNAVAILABLE: "the queue cannot be reached; try again in a moment",
}
# Every operation may answer these.
_EVERYWHERE = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
_RETRY_AFTER = ("Seconds after which to try again.", "2")
_PROBLEM_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": ("How to authenticate.", "Bearer")},
    HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": ("The methods that the path accepts.", "DELETE, GET")},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": _RETRY_AFTER},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": _RETRY_AFTER},
}
_REQUEST_ID = ("Id of the request, as in the logs: the client's, or a new one.", "c48025d9feb44d85")
_HEADERS = {
    "X-Request-ID": _REQUEST_ID,
    "Cache-Control": ("Responses must not be cached.", "no-store"),
    "Content-Security-Policy": (
        "Responses load nothing, and no page frames them.",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    "Referrer-Policy": ("Browsers send no referrer.", "no-referrer"),
    "X-Content-Type-Options": ("Browsers must trust Content-Type.", "nosniff"),
    "X-Frame-Options": ("No page may frame a response.", "DENY"),
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says in OpenAPI about its errors; 401 is added, for services that need keys."""
    named = (HTTPStatus(code) for code in sorted({401, *statuses}))
    return {
        status.value: {"$ref": f"#/components/responses/Problem{status}", "description": status.phrase}
        for status in named
    }


def header(description: str, example: str, *, required: bool = True) -> dict[str, Any]:
    """A header of a response."""
    return {"description": description, "required": required, "schema": {"type": "string"}, "example": example}


def example(name: str, media_type: str = "application/json") -> dict[str, Any]:
    """The example of a response, from `app.http.examples`; by reference, since the framework drops nulls from inline examples."""
    # The framework adds the schemas of JSON and of events.
    is_text = media_type not in {"application/json", "text/event-stream"}
    schema = {"schema": {"type": "string"}} if is_text else {}
    return {"content": {media_type: {"examples": {name: {"$ref": f"#/components/examples/{name}"}}} | schema}}


def complete_document(app: FastAPI) -> None:
    """Complete the OpenAPI document of an application when it is first requested."""
    by_routes = app.openapi

    def document() -> dict[str, Any]:
        found = by_routes()
        if "responses" not in found["components"]:  # the framework caches the document
            _complete_all(found)
        return found

    app.openapi = document  # type: ignore[method-assign]


def _complete_all(document: dict[str, Any]) -> None:
    components = document["components"]
    schemas = components["schemas"]
    for model in (FieldProblem, Problem):
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas[model.__name__].pop("$defs", None)
    del schemas["HTTPValidationError"], schemas["ValidationError"]
    components["examples"] = {name: {"value": value} for name, value in named_examples().items()}
    components["headers"] = {name: header(*about) for name, about in _HEADERS.items()}
    components["parameters"] = {"X-Request-ID": _request_id_parameter()}
    components["responses"] = {f"Problem{status}": _problem_response(status) for status in _DETAILS}
    for operation in _operations(document["paths"]):
        _complete(operation)
    for operation in _operations(document["webhooks"]):
        del operation["responses"]["422"]  # added by the framework; receivers answer as they like


def _operations(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (operation for path in paths.values() for operation in path.values())


def _complete(operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
    parameters.append({"$ref": "#/components/parameters/X-Request-ID"})
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]  # added by the framework, although the name may be any string
    for status in _EVERYWHERE:
        answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}", "description": status.phrase}
    for answer in answers.values():
        if "$ref" not in answer:
            answer["headers"] = _references(_HEADERS) | answer.get("headers", {})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is given: URLs and headers have no null, and `required` says whether it may be missing."""
    others = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(others) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | dict(others[0])


def _request_id_parameter() -> dict[str, Any]:
    description, example = _REQUEST_ID
    schema = {"type": "string"}
    return {"name": "X-Request-ID", "in": "header", "description": description, "schema": schema, "example": example}


def _problem_response(status: HTTPStatus) -> dict[str, Any]:
    detail = _DETAILS[status]
    field, _, mistake = detail.partition(": ")
    errors = [FieldProblem(field=field, detail=mistake)] if mistake == _TOO_MANY else []
    example = Problem(title=status.phrase, status=status, detail=detail, errors=errors).model_dump(mode="json")
    # Unexpected errors are answered outside the middleware that sets the other headers.
    general = ["X-Request-ID"] if status is HTTPStatus.INTERNAL_SERVER_ERROR else _HEADERS
    special = {name: header(*about) for name, about in _PROBLEM_HEADERS.get(status, {}).items()}
    return {
        "description": status.phrase,
        "headers": _references(general) | special,
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _references(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
