"""What `deploy/` says about the server is true of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.core import Metric

from qwen_tts_api.errors import EXIT_CANNOT_START, EXIT_LOST
from qwen_tts_api.service.api_keys import ApiKeys
from qwen_tts_api.service.metrics import build_metrics
from tests.conftest import Bench

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
FILES = [
    DEPLOY / "monitoring" / "dashboard.json",
    DEPLOY / "monitoring" / "rules.yaml",
    DEPLOY / "overlays" / "replicas" / "scaledobject.yaml",
]


@pytest.fixture
def families(bench: Bench, tmp_path: Path) -> list[Metric]:
    """Return the metric families of a service with API keys."""
    (tmp_path / "keys").write_text("a-key-of-enough-characters")
    keys = ApiKeys(tmp_path / "keys")
    return list(build_metrics(bench.service.status, keys.status).registry.collect())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_dashboards_alerts_and_scaling_use_metrics_that_exist(
    families: list[Metric], path: Path
) -> None:
    """Every name in them is one that /metrics tells, once it has something to tell of."""
    used = set(re.findall(r"\bqwen_tts_\w+", path.read_text()))
    told = set()
    for family in families:
        suffixes = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(family.type, ("",))
        told |= {family.name + suffix for suffix in suffixes}
    assert used
    assert used <= told


def test_every_metric_of_ours_is_on_the_dashboard(families: list[Metric]) -> None:
    """What nobody looks at need not be measured."""
    text = FILES[0].read_text()
    names = [family.name for family in families if family.name.startswith("qwen_tts_")]
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("name", ["ready", "failures", "empty_audio", "api_keys_file_ok"])
def test_there_is_an_alert_on_what_needs_somebody(name: str) -> None:
    """A pod that is not ready, fails, answers without audio, or has a keys file that is wrong."""
    groups = yaml.safe_load(FILES[1].read_text())["spec"]["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    assert any(re.search(rf"\bqwen_tts_{name}(_total)?\b", each) for each in expressions)


def test_the_dashboard_s_panels_do_not_overlap() -> None:
    """Grafana would move them."""
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(FILES[0].read_text())["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert grid["x"] + grid["w"] <= 24


def test_the_pod_has_the_time_that_the_server_takes() -> None:
    """To end: preStop, what runs, and the process itself."""
    pod = yaml.safe_load((DEPLOY / "k8s" / "deployment.yaml").read_text())["spec"]["template"]
    settings = yaml.safe_load((DEPLOY / "k8s" / "configmap.yaml").read_text())["data"]
    container = pod["spec"]["containers"][0]
    pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    graceful = float(settings["QWEN_GRACEFUL_TIMEOUT_S"])
    assert pod["spec"]["terminationGracePeriodSeconds"] >= pre_stop + graceful + 5
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings["QWEN_BIND"].endswith(f":{ports['http']}")
    assert settings["QWEN_OPS_BIND"].endswith(f":{ports['ops']}")


def test_exit_codes_are_those_that_the_documents_tell() -> None:
    """Orchestrators and people look at them."""
    document = (DEPLOY.parent / "docs" / "operations" / "deploy.md").read_text()
    words = " ".join(document.split())
    assert f"exits with code {EXIT_CANNOT_START}" in words
    assert f"ends the master with {EXIT_LOST}" in words


@pytest.mark.parametrize("overlay", ["offline", "replicas"])
def test_the_volume_is_filled_before_a_server_mounts_it(overlay: str) -> None:
    """At once they would take a ReadWriteOnce volume away from each other."""
    folder = DEPLOY / "overlays" / overlay
    server = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert not [path for path in server["resources"] if "models" in path]
    assert not [path for path in folder.glob("*.yaml") if "kind: Job" in path.read_text()]
    assert (folder / "models" / "kustomization.yaml").exists()
