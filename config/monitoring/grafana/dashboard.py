#!/usr/bin/env python3
"""Writes dashboards/sattva.json, which is never edited by hand. Needs tests/monitoring/requirements.txt.

usage: dashboard.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE = Path(__file__).parent / "dashboards/sattva.json"
UID = "sattva-monitor"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Which daemons: those that the variable says.
OF = 'job="sattva-monitor", instance=~"$instance"'
RATE = "[$__rate_interval]"
MOST = 10
"""So many streams a graph shows; the table shows all."""

# The page of a stream. The address of the daemon's own dashboard is a variable: it may be behind a proxy.
STREAM_IN_GRAPH = "${monitor}/streams/${__field.labels.channel_id:percentencode}"
STREAM_IN_TABLE = "${monitor}/streams/${__value.text:percentencode}"

Panel = stat.Panel | timeseries.Panel | table.Panel


def query(name: str, expression: str, legend: str = "") -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(expression).legend_format(legend).range()


def now(name: str, expression: str) -> prometheus.Dataquery:
    line = prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(expression)
    return line.instant().format(PromQueryFormat.TABLE)


def link_to(address: str) -> dict[str, object]:
    return {"title": "Open the stream", "url": address, "targetBlank": True}


def number(title: str, expression: str, red_from: float | None = None) -> stat.Panel:
    steps = [Threshold(value=None, color="green")]
    if red_from is not None:
        steps.append(Threshold(value=red_from, color="red"))
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .span(4)
        .height(4)
        .with_target(query("A", expression))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(builders.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
    )


def graph(title: str, unit: str, *lines: tuple[str, str], means: str = "") -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .datasource(SOURCE)
        .span(8)
        .height(8)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .legend(
            VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
        )
    )
    if means:
        panel.description(means)
    for name, (expression, legend) in zip(ascii_uppercase, lines, strict=False):
        panel.with_target(query(name, expression, legend))
    return panel


def streams_graph(title: str, unit: str, metric: str, means: str = "") -> timeseries.Panel:
    panel = graph(title, unit, (f"topk({MOST}, {metric}{{{OF}}})", "{{channel_id}}"), means=means)
    return panel.override_by_regexp(".*", [DynamicConfigValue("links", [link_to(STREAM_IN_GRAPH)])])


def one_table(title: str, *expressions: str, names: dict[str, str], hidden: list[str]) -> table.Panel:
    panel = table.Panel().title(title).datasource(SOURCE).span(24).height(10)
    for name, expression in zip(ascii_uppercase, expressions, strict=False):
        panel.with_target(now(name, expression))
    hide = dict.fromkeys(["Time", "__name__", "job", *hidden], True)
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    return panel.with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": hide, "renameByName": names})
    )


def overview() -> Iterator[Panel]:
    yield number("Active streams", f"sum(sattva_active_streams{{{OF}}})")
    yield number("Listeners", f"sum(sattva_total_listeners{{{OF}}})")
    yield number("Counting down", f"sum(sattva_countdowns{{{OF}}})")
    yield number("Count unknown", f"sum(sattva_unknown_streams{{{OF}}})", red_from=1)
    yield number("Stop failed", f"sum(sattva_stop_failed_streams{{{OF}}})", red_from=1)
    yield number("Dashboards open", f"sum(sattva_websocket_connections{{{OF}}})")
    yield graph(
        "Streams and listeners",
        "short",
        ("job:sattva_active_streams:sum", "streams"),
        ("job:sattva_total_listeners:sum", "listeners"),
    )
    yield graph(
        "Auto-end events",
        "short",
        (f"sum by (event) (increase(sattva_auto_end_events_total{{{OF}}}{RATE}))", "{{event}}"),
        (f"sum(increase(sattva_auto_end_warnings_total{{{OF}}}{RATE}))", "warning"),
    )
    yield graph(
        "State of the daemons",
        "none",
        (f"sattva_readiness{{{OF}}} == 1", "{{instance}} {{status}}"),
        means="1 at what /readyz says of each daemon.",
    )
    yield graph(
        "Requests",
        "reqps",
        (f"sum by (endpoint) (rate(sattva_http_requests_total{{{OF}}}{RATE}))", "{{endpoint}}"),
    )
    yield graph(
        "Time to answer, 99 of 100 requests",
        "s",
        (f"job_instance:sattva_http_request_duration_seconds:p99_rate5m{{{OF}}}", "{{instance}}"),
    )
    yield graph(
        "Sent to dashboards",
        "Bps",
        (f"sum by (type) (rate(sattva_websocket_sent_bytes_total{{{OF}}}{RATE}))", "{{type}}"),
    )
    yield graph("Processor", "percentunit", (f"rate(process_cpu_seconds_total{{{OF}}}{RATE})", "{{instance}}"))
    yield graph("Memory", "bytes", (f"process_resident_memory_bytes{{{OF}}}", "{{instance}}"))
    yield graph(
        "Open files",
        "short",
        (f"process_open_fds{{{OF}}}", "{{instance}} open"),
        (f"process_max_fds{{{OF}}}", "{{instance}} most"),
    )


def streams() -> Iterator[Panel]:
    figures = {
        "Listeners": "sattva_stream_listeners",
        "Queue": "sattva_queue_size",
        "Ends in, s": "sattva_stream_countdown_seconds",
        "Age of the count, s": "sattva_stream_evidence_age_seconds",
    }
    names = {f"Value #{letter}": name for letter, name in zip(ascii_uppercase, figures, strict=False)}
    streams = one_table(
        "Streams",
        *(f"sum by (channel_id) ({metric}{{{OF}}})" for metric in figures.values()),
        names={"channel_id": "Stream", **names},
        hidden=[],
    )
    yield streams.override_by_name("Stream", [DynamicConfigValue("links", [link_to(STREAM_IN_TABLE)])])
    yield streams_graph("Most listeners", "short", "sattva_stream_listeners")
    yield streams_graph("Countdowns", "s", "sattva_stream_countdown_seconds", "Ended at 0, unless somebody listens.")
    yield streams_graph("Oldest counts", "s", "sattva_stream_evidence_age_seconds", "Too old a count is unknown.")


def queue() -> Iterator[Panel]:
    yield graph("Items in all queues", "short", (f"sum(sattva_queue_items{{{OF}}})", "items"))
    yield streams_graph("Longest queues", "short", "sattva_queue_size")
    yield graph(
        "Queue operations",
        "ops",
        (f"sum by (operation) (rate(sattva_queue_operations_total{{{OF}}}{RATE}))", "{{operation}}"),
    )


def errors() -> Iterator[Panel]:
    alerts = one_table(
        "Alerts",
        'ALERTS{alertstate="firing"}',
        names={"alertname": "Alert", "severity": "Severity", "instance": "Daemon", "channel_id": "Stream"},
        hidden=["Value", "alertstate"],
    )
    yield alerts.height(6).override_by_name("Stream", [DynamicConfigValue("links", [link_to(STREAM_IN_TABLE)])])
    yield graph(
        "Share of requests answered with an error",
        "percentunit",
        (f"job_instance:sattva_http_errors:ratio_rate5m{{{OF}}}", "{{instance}}"),
    )
    yield graph(
        "Errors by route",
        "reqps",
        (
            f'sum by (endpoint, status) (rate(sattva_http_requests_total{{{OF}, status=~"5.."}}{RATE}))',
            "{{endpoint}} {{status}}",
        ),
    )
    yield graph(
        "What the daemon rests on",
        "none",
        (f"max by (dependency) (sattva_dependency_failing{{{OF}}})", "{{dependency}}"),
        means="1 while it fails.",
    )
    yield graph(
        "Stop commands",
        "short",
        (f"sum by (outcome) (increase(sattva_stop_commands_total{{{OF}}}{RATE}))", "{{outcome}}"),
    )
    yield graph(
        "Reports",
        "ops",
        (f"sum by (verdict) (rate(sattva_reports_total{{{OF}}}{RATE}))", "{{verdict}}"),
        (f"sum(rate(sattva_reports_refused_total{{{OF}}}{RATE}))", "no room"),
    )
    yield graph(
        "Store",
        "s",
        (f"job_instance:sattva_store_commit_duration_seconds:p99_rate5m{{{OF}}}", "{{instance}} 99 of 100 commits"),
    )
    yield graph(
        "Store errors",
        "ops",
        (f"sum(rate(sattva_store_errors_total{{{OF}}}{RATE}))", "errors"),
        (f"sum(rate(sattva_store_dropped_decisions_total{{{OF}}}{RATE}))", "entries of the journal lost"),
    )
    yield graph(
        "Sessions that ended",
        "short",
        (f"sum by (reason) (increase(sattva_websocket_sessions_ended_total{{{OF}}}{RATE}))", "{{reason}}"),
    )
    yield graph(
        "Webhooks",
        "short",
        (f"sum by (webhook) (sattva_webhook_waiting{{{OF}}})", "{{webhook}} waiting"),
        (
            f"sum by (webhook, outcome) (increase(sattva_webhook_messages_total{{{OF}}}{RATE}))",
            "{{webhook}} {{outcome}}",
        ),
        (f"sum(increase(sattva_webhook_missed_total{{{OF}}}{RATE}))", "missed"),
    )
    yield graph(
        "Faults",
        "short",
        (f"sum(increase(sattva_channel_restarts_total{{{OF}}}{RATE}))", "channels that died"),
        (f"sum(increase(sattva_clock_anomalies_total{{{OF}}}{RATE}))", "clock jumped"),
        (f"sum(increase(sattva_stalls_total{{{OF}}}{RATE}))", "stood still"),
        (f"count(sattva_config_last_reload_successful{{{OF}}} == 0) or vector(0)", "reload refused"),
    )
    yield graph("Waiting for actors", "short", (f"max by (actor) (sattva_mailbox_depth{{{OF}}})", "{{actor}}"))


PARTS = {"Overview": overview, "Streams": streams, "Queue": queue, "Errors": errors}


def events(name: str, event: str, color: str) -> builders.AnnotationQuery:
    expression = f'sum by (event) (increase(sattva_auto_end_events_total{{{OF}, event="{event}"}}[$__interval])) > 0'
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expression)
        # Shorter than two scrapes nothing has increased.
        .step("60s")
        .title_format(name)
        .tag_keys("event")
    )


def build() -> str:
    board = (
        builders.Dashboard("Sattva Monitor")
        .uid(UID)
        .description("Live streams, who hears them, and the ones that are ended because nobody does.")
        .tags(["sattva"])
        .refresh("15s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            builders.QueryVariable("instance")
            .label("Daemon")
            .datasource(SOURCE)
            .query('label_values(sattva_build_info{job="sattva-monitor"}, instance)')
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
        .with_variable(
            builders.TextBoxVariable("monitor").label("Its page").default_value("http://127.0.0.1:8080/monitoring")
        )
        .annotation(events("A stream was ended", "ended", "red"))
        .annotation(events("A countdown began", "started", "orange"))
        .link(builders.DashboardLink("Sattva Monitor").url("${monitor}").target_blank(True).icon("external link"))
    )
    for number_, (title, panels) in enumerate(PARTS.items(), 1):
        board.with_row(builders.Row(title).id(number_ * 100))
        # Ids are a panel's place, so that links to a panel last.
        for place, panel in enumerate(panels(), 1):
            board.with_panel(panel.id(number_ * 100 + place))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(build(), encoding="utf-8")
