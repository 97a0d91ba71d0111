"""`/metrics`, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response

from qwen_tts_api.metrics import CONTENT_TYPE, Metrics
from qwen_tts_api.routes.operations import TEXT, Answer, operation


def blueprint(metrics: Metrics) -> Blueprint:
    """Return the route of the metrics."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    @operation(
        "Read the metrics, as Prometheus does",
        tag="health",
        answers={200: Answer("Prometheus's text format.", TEXT, [CONTENT_TYPE])},
    )
    def exposition() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    return routes
