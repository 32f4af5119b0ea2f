"""Webhooks, for those who receive them: the secret that verifies a message, and what a message is like, for OpenAPI."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request, status
from pydantic import BaseModel, Field

from app.http.errors import Forbidden, NotFound, Unauthorized
from app.http.examples import JOB_ID, WEBHOOK_SECRET, WEBHOOK_SIGNATURE
from app.http.openapi import example, problems
from app.jobs.webhooks.message import WebhookMessage
from app.jobs.webhooks.sender import WebhookSender
from app.routes.deps import CallerDep

router = APIRouter(tags=["webhooks"])


class WebhookSecret(BaseModel):
    """What verifies the webhooks of one key."""

    secret: Annotated[str, Field(description="For a library of Standard Webhooks.", examples=[WEBHOOK_SECRET])]


@router.get("/webhooks/secret", responses={200: example("webhook_secret"), **problems(403, 404, 503)})
async def get_webhook_secret(caller: CallerDep, request: Request) -> WebhookSecret:
    """The secret that signs the webhooks of this key's jobs, and no other's. A new key of the same name has a new one."""
    sender: WebhookSender | None = request.app.state.webhooks
    if sender is None:
        raise NotFound("there are no webhooks here; whoever runs the service sets DIGRESS_WEBHOOK_SECRET")
    if request.app.state.authenticator is None:
        raise Forbidden("without keys, DIGRESS_WEBHOOK_SECRET itself signs webhooks; ask whoever runs the service")
    secret = await sender.secret_of(caller.name)
    if secret is None:
        raise Unauthorized("this key is not known, or has been revoked")
    return WebhookSecret(secret=secret)


def describe_webhooks(app: FastAPI) -> None:
    """Add the message to the OpenAPI document, under `webhooks`."""

    @app.webhooks.post("job-ended", status_code=status.HTTP_204_NO_CONTENT, tags=["webhooks"])
    def job_ended(
        body: WebhookMessage,
        webhook_id: Annotated[str, Header(description="The job's id; the same for every try.", examples=[JOB_ID])],
        webhook_timestamp: Annotated[
            str, Header(description="When it was sent, in seconds since 1970.", examples=["1795655308"])
        ],
        webhook_signature: Annotated[
            str,
            Header(
                description="`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.",
                examples=[WEBHOOK_SIGNATURE],
            ),
        ],
    ) -> None:
        """A job that named a `webhook` has ended. Any 2xx answer within ten seconds will do.

        Verify it by a library of Standard Webhooks (standardwebhooks.com), with the secret of `GET /webhooks/secret`.
        """
