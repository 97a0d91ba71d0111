"""`/healthz`, the process; `/readyz`, the model."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from qwen_tts_api.service.speech import SpeechService


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes of the probes. None of them waits for the model."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        status = service.status()
        if status.state != "failed":
            return jsonify({"status": "ok"})
        response = jsonify({"status": status.state, "doing": status.doing})
        response.status_code = 503
        return response

    @routes.get("/readyz")
    def readyz() -> Response:
        status = service.status()
        body: dict[str, Any] = {
            "status": status.state,
            "doing": status.doing,
            "model": service.default_model,
        }
        if status.default is not None:
            placement = status.default.placement
            body["kind"] = status.default.card.kind
            body["size"] = status.default.card.size
            body["device"] = placement.device
            body["dtype"] = placement.dtype
            body["attention"] = placement.attention
        body["models"] = status.models
        body["running"] = status.running
        body["waiting"] = status.waiting
        response = jsonify(body)
        if not status.ready:
            response.status_code = 503
            response.headers["Retry-After"] = "5"
        return response

    return routes
