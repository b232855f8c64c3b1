"""What watches Taskgate speaks of metrics that there are, and reaches no further than it must."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

import auth_verifier.metrics
import gateway_service.metrics
import tasks_service.metrics

ROOT = Path(__file__).parents[2]
WATCHERS = ROOT / "deploy" / "observability"
DASHBOARD = WATCHERS / "grafana" / "dashboards" / "taskgate.json"
SERVICES = {"gateway", "auth-verifier", "tasks"}
_NAME = re.compile(r"\b(?:taskgate|process)_[a-z_]+")


def served() -> set[str]:
    """Return every name that a service's /metrics has, with those of a histogram's parts."""
    registries = [CollectorRegistry()]
    ProcessCollector(registry=registries[0])
    kinds = (auth_verifier.metrics, gateway_service.metrics, tasks_service.metrics)
    registries += [kind.Metrics().registry for kind in kinds]
    parts = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    return {
        metric.name + part
        for registry in registries
        for metric in registry.collect()
        for part in parts[metric.type]
    }


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((WATCHERS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


@pytest.mark.spec("OBS-17")
def test_every_metric_of_the_dashboard_is_served_by_a_service() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    named = {name for panel in panels for one in panel["targets"] for name in names(one["expr"])}

    assert len(named) > 10
    assert named - served() == set()


@pytest.mark.spec("OBS-17", "OBS-18")
def test_every_alert_is_whole_and_every_metric_of_it_served() -> None:
    found = {rule["alert"]: rule for rule in rules()}

    assert len(found) == len(rules())
    assert {name for rule in found.values() for name in names(rule["expr"])} - served() == set()
    for rule in found.values():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"[0-9]+m", rule["for"])
        for opened, closed in ("()", "{}", "[]"):
            assert rule["expr"].count(opened) == rule["expr"].count(closed)
    # Which knows the language itself, where it is installed.
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "rules", WATCHERS / "alerts.yml"], check=True)
    text = (ROOT / "docs" / "observability.md").read_text()
    assert [name for name in found if f"`{name}`" not in text] == []


@pytest.mark.spec("OBS-17")
def test_prometheus_asks_every_service_at_its_port() -> None:
    jobs = yaml.safe_load((WATCHERS / "prometheus.yml").read_text())["scrape_configs"]

    asked = {job["job_name"]: job["dns_sd_configs"][0] for job in jobs}

    assert set(asked) == SERVICES
    for name, one in asked.items():
        port = services()[name]["environment"]["METRICS_PORT"]
        assert (one["names"], str(one["port"])) == ([name], port)


@pytest.mark.spec("OBS-16", "CON-7")
def test_watchers_connect_no_two_services_and_publish_on_loopback_only() -> None:
    watchers = {name: one for name, one in services().items() if "profiles" in one}
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]

    assert set(watchers) == {"prometheus", "grafana", "traces"}
    for name, one in watchers.items():
        assert one["profiles"] == ["observability"]
        assert re.fullmatch(r"[a-z/]+:v?[0-9]+\.[0-9]+\.[0-9]+", one["image"])
        assert "ports" not in one or name == "grafana"
    assert watchers["grafana"]["ports"] == ["127.0.0.1:${GRAFANA_PORT:-3001}:3000"]
    for network in (n for n in networks if n.startswith("watch-")):
        members = {name for name, one in services().items() if network in one["networks"]}
        assert members - set(watchers) == {network.removeprefix("watch-")}
        assert networks[network]["internal"]


def names(expression: str) -> set[str]:
    return set(_NAME.findall(expression))
