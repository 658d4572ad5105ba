"""Every expression of the pack, as Prometheus gets it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from stage import MONITORING, rules

DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana/dashboards/sattva.json").read_text(encoding="utf-8"))

# What Grafana puts in.
VARIABLES = {"$instance": ".*", "$__rate_interval": "1m", "$__interval": "1m"}
METRIC = r"(?<![\w:$])(?:sattva_|process_|job:|job_instance:|alertmanager_|prometheus_|up(?=\{))[\w:]*"


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, f"a variable that only Grafana knows: {expression}"
    return expression


def of_panels() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']} {target['refId']}", filled(target["expr"])
    for annotation in DASHBOARD["annotations"]["list"]:
        yield f"annotation {annotation['name']}", filled(annotation["expr"])


SHOWN = dict(of_panels())
RECORDED = {f"rule {rule['record']}": str(rule["expr"]) for rule in rules("recording.yml")}
ALERTING = {f"alert {rule['alert']}": str(rule["expr"]) for rule in rules("alerts.yml")}
EXPRESSIONS = SHOWN | RECORDED | ALERTING


def without_texts(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


def names_in(expression: str) -> set[str]:
    """The metrics that it names."""
    return set(re.findall(METRIC, without_texts(expression)))


def selectors_in(expression: str) -> list[str]:
    """Each metric that it names, with the labels it wants: `up{job="a"}`."""
    return re.findall(METRIC + r"(?:\{[^}]*\})?", expression)
