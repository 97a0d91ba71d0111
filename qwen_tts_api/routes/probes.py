"""`/healthz`, the process; `/readyz`, the model; `/metrics`, for Prometheus."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify
from marshmallow import Schema, fields, validate

from qwen_tts_api.routes.openapi.operations import TEXT, Answer, Operation
from qwen_tts_api.service.speech import SpeechService
from qwen_tts_api.telemetry.metrics import CONTENT_TYPE


class HealthSchema(Schema):
    """Whether the process can do its work."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "failed"]),
        metadata={"description": "`failed`: only a new process helps."},
    )
    doing = fields.String(metadata={"description": "Why it failed."})


class ReadinessSchema(Schema):
    """The model, and what it is doing. `kind` to `attention` are there while it is in memory."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["ready", "loading", "recovering", "draining", "failed"]),
        metadata={
            "description": "`recovering`: the model is tried after a failure; `draining`: the "
            "process was told to stop; `failed`: only a new process helps."
        },
    )
    doing = fields.String(
        required=True,
        metadata={"description": "What the loading is at, or why it is not ready; may be empty."},
    )
    model = fields.String(required=True, metadata={"description": "The default model."})
    kind = fields.String(metadata={"description": "`custom_voice`, `voice_design` or `base`."})
    size = fields.String(metadata={"description": "As published: `0b6`, `1b7`."})
    device = fields.String(metadata={"description": "Where it computes."})
    dtype = fields.String(metadata={"description": "Number format of the weights."})
    attention = fields.String(metadata={"description": "The kernel in use."})
    models = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(["ready", "loading", "not loaded", "failed"])),
        required=True,
        metadata={
            "description": "The state of each served model. `failed`: it could not be loaded, and "
            "is tried again for requests a while later."
        },
    )
    running = fields.Integer(
        required=True, metadata={"description": "Utterances that are being computed."}
    )
    waiting = fields.Integer(required=True, metadata={"description": "Utterances that wait."})
    api_keys = fields.String(
        validate=validate.OneOf(["ok", "faulty", "unreadable"]),
        metadata={
            "description": "Of the file of keys, where there is one. `faulty`: a line is no key, "
            "or there is none; `unreadable`: the keys of before hold."
        },
    )


def blueprint(service: SpeechService) -> Blueprint:
    """Return the routes of the probes and metrics. None of them waits for the model."""
    routes = Blueprint("probes", __name__)

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

    @routes.get("/metrics")
    @Operation(
        "Read the metrics, as Prometheus does",
        tag="health",
        answers={200: Answer("Prometheus's text format.", TEXT, [CONTENT_TYPE])},
    )
    def exposition() -> Response:
        return Response(service.metrics.exposition(), content_type=CONTENT_TYPE)

    return routes
