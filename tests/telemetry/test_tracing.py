"""Traces, as a collector gets them: a real receiver of OTLP over HTTP reads the protobuf."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.server import Server, free_port
from qwen_tts_api.errors import ConfigError
from qwen_tts_api.server.wyoming.listener import WyomingServer
from qwen_tts_api.telemetry.tracing import tracer_from_env
from tests.conftest import Bench, Serve, wait_until
from tests.rows import for_each
from tests.server.wyoming.home_assistant import say, stream

ROOT = Path(__file__).resolve().parents[2]
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Collector:
    """Receives spans.

    Attributes:
        url: Where.
        spans: What came.
        bodies: The same as it was sent.
        resource: Who sent the last of them.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        self.resource: dict[str, Any] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.receive(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def receive(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.bodies.append(body)
        for resource in request.resource_spans:
            self.resource = attributes_of(resource.resource)
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name, in the order of their beginning."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def one(self, name: str) -> Span:
        """Return the only span of a name."""
        [span] = self.named(name)
        return span

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def attributes_of(thing: Any) -> dict[str, Any]:
    """Return attributes as what they are in Python."""

    def value_of(value: Any) -> Any:
        kind = value.WhichOneof("value")
        if kind == "array_value":
            return [value_of(item) for item in value.array_value.values]
        return getattr(value, kind)

    return {entry.key: value_of(entry.value) for entry in thing.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture
def make_traced(
    collector: Collector,
    make_bench: Callable[..., Bench],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[Bench, Callable[[], None]]]:
    """Return a function that makes a bench, and one that sends its spans."""
    monkeypatch.setenv(ENDPOINT, collector.url)

    def make(**settings: Any) -> tuple[Bench, Callable[[], None]]:
        tracer = tracer_from_env()
        assert tracer is not None
        return make_bench(tracer=tracer, **settings), lambda: tracer.close(10)

    return make


@pytest.fixture
def server(serve: Serve, collector: Collector) -> Server:
    return serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="mouth")


def test_a_request_to_the_real_server(server: Server, collector: Collector) -> None:
    """The caller's trace goes on; each stage is a child; the end of the process loses none."""
    response = requests.post(
        f"{server.url}/api/tts",
        json={"text": "Hello there.", "seed": 3, "top_p": 0.5, "audio_format": "mp3"},
        headers={"traceparent": TRACEPARENT, "X-Request-Id": "mine"},
        timeout=60,
    )
    assert response.status_code == 200
    assert server.stop() == 0
    span = collector.one("POST /api/tts")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert collector.resource["service.name"] == "mouth"
    given = attributes_of(span)
    assert given["http.request.method"] == "POST"
    assert given["http.route"] == given["url.path"] == "/api/tts"
    assert given["http.response.status_code"] == 200
    assert given["server.port"] == server.address[1]
    assert given["client.address"] == "127.0.0.1"
    assert given["qwen_tts.request_id"] == "mine"
    assert given["gen_ai.output.type"] == "speech"
    assert (given["gen_ai.request.model"], given["qwen_tts.voice"]) == ("nano", "Ryan")
    assert (given["gen_ai.request.seed"], given["gen_ai.request.top_p"]) == (3, 0.5)
    assert given["gen_ai.response.finish_reasons"] == ["stop"]
    assert given["gen_ai.usage.input_tokens"] > 1
    frames = given["gen_ai.usage.output_tokens"]
    assert frames == round(12.5 * float(response.headers["X-Audio-Duration"]))
    stages = [collector.one(name) for name in ("queue", "prefill", "decode", "encode")]
    for stage in stages:
        assert stage.parent_span_id == span.span_id
        assert stage.trace_id == span.trace_id
        assert span.start_time_unix_nano <= stage.start_time_unix_nano
        assert stage.start_time_unix_nano <= stage.end_time_unix_nano
        assert stage.end_time_unix_nano <= span.end_time_unix_nano
    queue, prefill, decode, encode = stages
    assert abs(queue.end_time_unix_nano - prefill.start_time_unix_nano) < 1_000_000
    assert abs(prefill.end_time_unix_nano - decode.start_time_unix_nano) < 1_000_000
    [event] = decode.events
    assert event.name == "first_audio"
    assert decode.start_time_unix_nano <= event.time_unix_nano <= decode.end_time_unix_nano
    assert attributes_of(decode) == {"qwen_tts.frames": frames}
    assert attributes_of(encode)["qwen_tts.busy_s"] > 0
    [line] = [line for line in server.log.splitlines() if '"/api/tts"' in line]
    assert json.loads(line)["trace_id"] == TRACE_ID


def test_a_dead_collector_holds_nothing(serve: Serve) -> None:
    """Neither requests nor the end of the process."""
    server = serve(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    assert server.say("Hi.").status_code == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log


Traced = Callable[..., tuple[Bench, Callable[[], None]]]


def test_requests_of_wyoming(make_traced: Traced, collector: Collector) -> None:
    """Each begins a trace, with the stages of its speech; so does what is spoken as it comes."""
    bench, send = make_traced(wyoming_bind="127.0.0.1:0")
    port = WyomingServer(bench.config, bench.service)
    port.start()
    assert say(port.address, "Hello.")
    assert stream(port.address, ["Hel", "lo."])[1]
    assert say(port.address, "x" * 5000) is None
    port.drain()
    wait_until(lambda: port.num_busy == 0)
    send()
    whole, refused = collector.named("Wyoming synthesize")
    live = collector.one("Wyoming synthesize-start")
    for span in (whole, live):
        assert not span.parent_span_id
        assert attributes_of(span)["gen_ai.output.type"] == "speech"
        assert [each for each in collector.named("decode") if each.parent_span_id == span.span_id]
    assert refused.status.code == Status.STATUS_CODE_UNSET  # the client's fault


def test_what_fails(make_traced: Traced, collector: Collector) -> None:
    """The stage and the request say with what; what a client does wrong is no error of ours."""
    bench, send = make_traced()
    bench.runner.prefill_error = RuntimeError("weights on fire")
    bench.client.post("/v1/audio/speech", json={"input": "abc"}).close()
    bench.client.post("/api/tts", json={"text": ""}).close()
    bench.client.get("/nowhere").close()
    send()
    failed = collector.one("POST /v1/audio/speech")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(failed)["error.type"] == "synthesis_failed"
    assert attributes_of(failed)["http.response.status_code"] == 500
    prefill = collector.one("prefill")
    assert attributes_of(prefill) == {"error.type": "synthesis_failed"}
    assert prefill.status.code == Status.STATUS_CODE_ERROR
    assert not collector.named("decode")
    for name, status in (("POST /api/tts", 400), ("GET", 404)):
        span = collector.one(name)
        assert attributes_of(span)["http.response.status_code"] == status
        assert span.status.code == Status.STATUS_CODE_UNSET


def test_a_stream_that_breaks_off(make_traced: Traced, collector: Collector) -> None:
    """The span ends with the last byte, and knows what its status could not."""
    bench, send = make_traced()
    response = bench.client.post("/api/tts", json={"text": "x" * 3000, "stream": True})
    parts = response.iter_encoded()
    next(parts)
    assert not collector.spans
    bench.runner.error = RuntimeError("weights on fire")
    with pytest.raises(ConnectionResetError):
        list(parts)
    response.close()
    send()
    span = collector.one("POST /api/tts")
    assert attributes_of(span)["http.response.status_code"] == 200
    assert attributes_of(span)["error.type"] == "synthesis_failed"
    assert attributes_of(collector.one("decode"))["error.type"] == "synthesis_failed"


def test_a_client_that_leaves(make_traced: Traced, collector: Collector) -> None:
    """Is no failure; what was done until then is told."""
    bench, send = make_traced()
    response = bench.client.post("/api/tts", json={"text": "x" * 3000, "stream": True})
    next(response.iter_encoded())
    response.close()
    send()
    assert collector.one("POST /api/tts").status.code == Status.STATUS_CODE_UNSET
    assert collector.one("decode").parent_span_id == collector.one("POST /api/tts").span_id


def test_a_long_text(make_traced: Traced, collector: Collector) -> None:
    """Each segment has its stages; the text is encoded as one."""
    bench, send = make_traced(max_segment_chars=50)
    text = "One sentence that is long enough. " * 4
    bench.client.post("/api/tts", json={"text": text}).close()
    send()
    for name in ("queue", "prefill", "decode"):
        segments = [attributes_of(span)["qwen_tts.segment"] for span in collector.named(name)]
        assert sorted(segments) == [1, 2, 3, 4]
    assert collector.one("encode").parent_span_id == collector.one("POST /api/tts").span_id
    assert attributes_of(collector.one("POST /api/tts"))["qwen_tts.segments"] == 4


def test_no_text_and_no_probe_is_in_a_trace(make_traced: Traced, collector: Collector) -> None:
    bench, send = make_traced()
    bench.client.get("/api/tts?text=my+secret").close()
    bench.client.post("/api/tts", json={"text": "my secret", "instruct": "a secret"}).close()
    for path in ("/healthz", "/readyz", "/metrics"):
        bench.client.get(path).close()
    send()
    assert {span.name for span in collector.spans} == {
        *("GET /api/tts", "POST /api/tts", "queue", "prefill", "decode", "encode")
    }
    assert collector.bodies
    assert not any(b"secret" in body for body in collector.bodies)
    assert collector.resource["service.name"] == "qwen-tts-api"


@pytest.mark.slow
def test_nothing_is_imported_unless_it_is_asked_for() -> None:
    """Nor where it is asked for and switched off."""
    code = (
        "import sys; from qwen_tts_api.routes import create_app; app = create_app(); "
        "app.test_client().get('/speakers'); "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    environ = {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true", "QWEN_MODEL_ID": "nano"}
    for variables in ({}, environ):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=variables)


@for_each(
    ("environ", "traced"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        ({ENDPOINT: "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({ENDPOINT: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_opentelemetry_s_own_variables_decide(environ: dict[str, str], traced: bool) -> None:
    assert (tracer_from_env(environ) is not None) == traced


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_what_is_not_here_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}='{value}' is not allowed: set "):
        tracer_from_env({ENDPOINT: "http://c:4318", name: value})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, not with the first request."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(
        ConfigError, match="opentelemetry-exporter-otlp-proto-http is not installed"
    ):
        tracer_from_env({ENDPOINT: "http://c:4318"})
