"""GET /metrics: for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.http.openapi import example
from app.routes.deps import MetricsDep

router = APIRouter(tags=["operation"])


@router.get("/metrics", response_class=Response, responses={200: example("metrics", "text/plain")})
def metrics(metrics: MetricsDep) -> Response:
    """The metrics of this API process and of the queue, in the text format of Prometheus."""
    return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
