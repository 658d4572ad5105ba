"""The rules are sound by themselves: each fires, is over, and tells a person what to do."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from program import ROOT, find
from stage import MONITORING, rules

ALERTS = rules("alerts.yml")
STORIES = ["alerts_test.yml", "alerts_day_test.yml"]
HERE = ROOT / "tests/monitoring"


def promtool(*arguments: str) -> str:
    done = subprocess.run([find("promtool"), *arguments], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_configuration_and_every_rule() -> None:
    promtool("check", "config", str(MONITORING / "prometheus/prometheus.yml"))
    lint = promtool("check", "rules", str(MONITORING / "prometheus/recording.yml"))
    assert "FAILED" not in lint


def test_every_alert_fires_and_is_over_in_a_story() -> None:
    promtool("test", "rules", *STORIES)
    told = [told_in(story) for file in STORIES for story in yaml.safe_load((HERE / file).read_text())["tests"]]
    changes = [change for moments in told for change in zip([set[str](), *moments], moments, strict=False)]
    fired = {alert for before, after in changes for alert in after - before}
    over = {alert for before, after in changes for alert in before - after}
    assert fired == over == {alert["alert"] for alert in ALERTS}


def told_in(story: dict[str, Any]) -> list[set[str]]:
    """The alerts of each moment that the story looks at."""
    samples = [moment["exp_samples"] for moment in story["promql_expr_test"]]
    return [{re.findall('alertname="(.*?)"', sample["labels"])[0] for sample in moment} for moment in samples]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_it_is_in_both_languages_and_where_to_read_on(alert: dict[str, Any]) -> None:
    notes = alert["annotations"]
    assert set(notes) == {"summary", "summary_ru", "runbook_url"}
    assert re.search("[а-я]", notes["summary_ru"]) and not re.search("[а-я]", notes["summary"])
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert notes["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"
    page = (ROOT / notes["runbook_url"]).read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    for heading in ("## What it means", "## What to do"):
        assert heading in page, heading


def test_every_runbook_has_its_alert() -> None:
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in ALERTS}


def test_the_two_alerts_of_the_specification_keep_their_names_times_and_severities() -> None:
    kept = {alert["alert"]: (alert["for"], alert["labels"]["severity"]) for alert in ALERTS if "for" in alert}
    assert kept["NoActiveStreams"] == ("5m", "warning")
    assert kept["HighErrorRate"] == ("2m", "critical")


def test_prometheus_scrapes_every_15_seconds() -> None:
    config = yaml.safe_load((MONITORING / "prometheus/prometheus.yml").read_text())
    assert config["global"]["scrape_interval"] == "15s"
