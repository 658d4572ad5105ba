"""The dashboard is what its source says, and finds what it refers to."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import yaml

from expressions import DASHBOARD
from program import ROOT
from stage import MONITORING

GRAFANA = MONITORING / "grafana"
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def provisioning(path: str) -> dict[str, object]:
    """The only entry of a file of Grafana's."""
    content = yaml.safe_load((GRAFANA / "provisioning" / path).read_text())
    assert content.pop("apiVersion") == 1
    ((entry,),) = content.values()
    return dict(entry)


def test_the_dashboard_is_what_its_source_makes() -> None:
    source = runpy.run_path(str(GRAFANA / "dashboard.py"))
    assert source["build"]() == source["FILE"].read_text(encoding="utf-8"), "run config/monitoring/grafana/dashboard.py"


def test_it_has_the_four_parts_of_the_specification() -> None:
    assert [row["title"] for row in ROWS] == ["Overview", "Streams", "Queue", "Errors"]


def test_every_panel_has_an_id_of_its_own_and_a_place_of_its_own() -> None:
    assert DASHBOARD["uid"] == "sattva-monitor"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [(x, y) for panel in DASHBOARD["panels"] for x, y in squares(panel["gridPos"])]
    assert len(set(places)) == len(places) and max(x for x, _ in places) < 24


def squares(place: dict[str, int]) -> list[tuple[int, int]]:
    columns, lines = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in columns for y in lines]


def test_every_query_goes_to_the_datasource_that_was_chosen() -> None:
    asking = [target for panel in PANELS for target in panel["targets"]]
    asking += [*PANELS, *DASHBOARD["annotations"]["list"]]
    assert {asks["datasource"]["uid"] for asks in asking} == {"${datasource}"}


def test_every_variable_that_is_used_is_there() -> None:
    text = (GRAFANA / "dashboards/sattva.json").read_text(encoding="utf-8")
    # Those with two underscores are Grafana's own.
    used = set(re.findall(r"\$\{?(?!__)([a-z]\w*)", text))
    assert used == {variable["name"] for variable in DASHBOARD["templating"]["list"]}


def test_a_stream_leads_to_its_page_of_the_daemon() -> None:
    address = (ROOT / "frontend/src/data/address.ts").read_text()
    base, stream = re.findall(r"const (?:BASE|STREAM) = '(.*?)'", address)
    (monitor,) = [each for each in DASHBOARD["templating"]["list"] if each["name"] == "monitor"]
    assert monitor["query"].endswith(base)
    links = [
        (panel["title"], link["url"])
        for panel in PANELS
        for override in panel["fieldConfig"]["overrides"]
        for made in override["properties"]
        for link in made["value"]
    ]
    assert {"Streams", "Alerts", "Most listeners", "Countdowns", "Oldest counts", "Longest queues"} == dict(
        links
    ).keys()
    for _, url in links:
        assert re.fullmatch(re.escape("${monitor}" + stream).replace(":id", r"\$\{__\S+:percentencode\}"), url), url


def test_what_auto_end_did_is_marked_in_every_graph() -> None:
    marks = {re.findall('event="(.*?)"', mark["expr"])[0] for mark in DASHBOARD["annotations"]["list"]}
    assert marks == {"started", "ended"}


def test_grafana_finds_prometheus_and_the_dashboards_where_they_are_installed() -> None:
    source = provisioning("datasources/prometheus.yml")
    assert source["uid"] == "sattva-prometheus" and source["url"] == "http://127.0.0.1:9090"
    provider = provisioning("dashboards/sattva.yml")
    assert provider["options"] == {"path": "/etc/grafana/dashboards"}
    assert [path.name for path in Path(GRAFANA / "dashboards").iterdir()] == ["sattva.json"]
