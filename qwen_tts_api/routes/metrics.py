"""`/metrics`, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response

from qwen_tts_api.metrics import CONTENT_TYPE, Metrics


def blueprint(metrics: Metrics) -> Blueprint:
    """Return the route of the metrics."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def exposition() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    return routes
