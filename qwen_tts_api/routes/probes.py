"""Liveness (`/healthz`), readiness (`/readyz`) and Prometheus metrics (`/metrics`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify
from marshmallow import Schema, fields, validate

from qwen_tts_api.routes.openapi.operations import TEXT, Answer, Operation
from qwen_tts_api.service.models import MODEL_STATES
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.telemetry.metrics import CONTENT_TYPE


class HealthSchema(Schema):
    """Liveness of the process."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "failed"]),
        metadata={"description": "`failed`: the process must be restarted."},
    )
    doing = fields.String(metadata={"description": "Why it failed."})


class ReadinessSchema(Schema):
    """Readiness of the default model; `kind` to `kernels` only while it is loaded."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["ready", "loading", "recovering", "draining", "failed"]),
        metadata={
            "description": "`recovering`: the model is tested after a failure; `draining`: the "
            "process is shutting down; `failed`: the process must be restarted."
        },
    )
    doing = fields.String(
        required=True,
        metadata={"description": "Progress of loading, or why it is not ready; may be empty."},
    )
    model = fields.String(required=True, metadata={"description": "The default model."})
    kind = fields.String(metadata={"description": "`custom_voice`, `voice_design` or `base`."})
    size = fields.String(metadata={"description": "`0b6` or `1b7`, as in config.json."})
    device = fields.String(metadata={"description": "PyTorch device."})
    dtype = fields.String(metadata={"description": "Data type of the weights."})
    attention = fields.String(metadata={"description": "Attention kernel."})
    kernels = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(["fused", "plain"])),
        metadata={
            "description": "What computes each part of the work: fused kernels, or PyTorch's "
            "operators (`QWEN_KERNELS`)."
        },
    )
    models = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(MODEL_STATES)),
        required=True,
        metadata={
            "description": "State of each served model. `idle`: it was unloaded since nobody used "
            "it; the next request loads it again. `failed`: it could not be loaded; a later "
            "request tries again."
        },
    )
    running = fields.Integer(required=True, metadata={"description": "Utterances being computed."})
    waiting = fields.Integer(required=True, metadata={"description": "Utterances in the queue."})
    api_keys = fields.String(
        validate=validate.OneOf(["ok", "faulty", "unreadable"]),
        metadata={
            "description": "State of the API keys file, if there is one. `faulty`: it has an "
            "invalid line or no key; `unreadable`: the previous keys are used."
        },
    )


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes of the probes, none of which waits for the model."""
    # Blueprints' names are part of the operation ids in openapi.json.
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    @Operation(
        "Ask whether the process can do its work, now or soon",
        tag="health",
        answers={
            200: Answer("It can.", HealthSchema),
            503: Answer("Only a new process helps.", HealthSchema),
        },
    )
    def healthz() -> Response:
        status = service.status()
        if status.state != "failed":
            return jsonify({"status": "ok"})
        response = jsonify({"status": status.state, "doing": status.doing})
        response.status_code = 503
        return response

    @routes.get("/readyz")
    @Operation(
        "Ask whether the model is there",
        tag="health",
        answers={
            200: Answer("It is.", ReadinessSchema),
            503: Answer("Not yet, or not any more.", ReadinessSchema, headers=("Retry-After",)),
        },
    )
    def readyz() -> Response:
        status = service.status()
        body: dict[str, Any] = {
            "status": status.state,
            "doing": status.doing,
            "model": service.models.default,
        }
        if status.default is not None:
            body |= asdict(status.default)
        body["models"] = status.models
        body["running"] = status.running
        body["waiting"] = status.waiting
        if service.keys is not None:
            body["api_keys"] = service.keys.status().state
        response = jsonify(body)
        if not status.ready:
            response.status_code = 503
            response.headers["Retry-After"] = "5"
        return response

    return routes


def metrics_blueprint(service: SpeechService) -> Blueprint:
    """Return the route of Prometheus metrics."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    @Operation(
        "Read the metrics, as Prometheus does",
        tag="health",
        answers={200: Answer("Prometheus's text format.", TEXT, [CONTENT_TYPE])},
    )
    def exposition() -> Response:
        return Response(service.metrics.exposition(), content_type=CONTENT_TYPE)

    return routes
