"""The real Alertmanager tells a Telegram that is not the real one: once for each group, in order, whatever fails."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import Stage
from fake_telegram import FakeTelegram
from program import eventually, find, get_json, post_json
from stage import CHAT, MONITORING, TOKEN, Alertmanager, hurried, render

SOON = {"group_wait": "1s", "group_interval": "1s"}
# Long enough for many alerts to be taken in on a busy machine.
TOGETHER = {"group_wait": "4s", "group_interval": "4s"}
A_WHILE = 3.0
"""Within this many seconds a second message would have come: several intervals of the group."""


def alert(name: str, over: bool = False, **more: str) -> dict[str, object]:
    """As Prometheus words it."""
    notes = {key: more.pop(key) for key in ("summary", "summary_ru", "runbook_url") if key in more}
    labels = {"alertname": name, "job": "sattva-monitor", "instance": "a", "severity": "critical", **more}
    now = datetime.now(UTC)
    # For one that began long ago Alertmanager gathers no company.
    times = {"startsAt": (now - timedelta(milliseconds=1)).isoformat()} | ({"endsAt": now.isoformat()} if over else {})
    return {"labels": labels, "annotations": {"summary": f"{name} of {labels['instance']}", **notes}, **times}


def tell(alertmanager: Alertmanager, name: str, over: bool = False, **more: str) -> None:
    tell_all(alertmanager, [alert(name, over, **more)])


def tell_all(alertmanager: Alertmanager, alerts: list[dict[str, object]]) -> None:
    post_json(alertmanager.url + "/api/v2/alerts", alerts)


def count(telegram: FakeTelegram, messages: int) -> None:
    """So many come, and no more."""
    eventually(f"{messages} messages", lambda: len(telegram.messages) >= messages)
    with pytest.raises(AssertionError, match="in vain"):
        eventually("one more", lambda: len(telegram.messages) > messages, patience=A_WHILE)


def test_what_belongs_together_is_one_message(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **TOGETHER))
    tell_all(alertmanager, [alert("StopFailed", instance=instance) for instance in "abcdefgh"])
    tell(alertmanager, "StreamsLost", severity="warning", runbook_url="docs/runbooks/StreamsLost.md")
    count(telegram, 2)
    assert {(message.token, message.chat_id) for message in telegram.messages} == {(TOKEN, CHAT)}
    many, one = sorted(telegram.texts(), key=lambda text: "StreamsLost" in text)
    assert many == "🔴 StopFailed\nStopFailed of a\nStopFailed of b\nStopFailed of c\n8 in all."
    assert one == "🟡 StreamsLost\nStreamsLost of a\nWhat to do: docs/runbooks/StreamsLost.md"


def test_a_telegram_that_refuses_is_told_once_when_it_is_well_again(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **SOON))
    telegram.refuse_next([500, 429, 502])
    tell(alertmanager, "StopFailed")
    count(telegram, 1)
    assert telegram.refused == [500, 429, 502]
    tell(alertmanager, "StopFailed", over=True)
    count(telegram, 2)
    assert telegram.texts() == ["🔴 StopFailed\nStopFailed of a", "✅ StopFailed is over\na"]


def test_a_message_tells_what_began_and_what_is_over(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, group_wait="1s", group_interval="3s"))
    tell(alertmanager, "CountdownStuck", channel_id="jazz")
    count(telegram, 1)
    jazz = alert("CountdownStuck", channel_id="jazz", over=True)
    tell_all(alertmanager, [jazz, alert("CountdownStuck", channel_id="rock", summary="rock is stuck")])
    eventually("both", lambda: "rock is stuck" in telegram.texts()[-1])
    assert telegram.texts()[1:] == ["🔴 CountdownStuck\nrock is stuck\n✅ CountdownStuck is over\njazz"]


def test_a_restart_forgets_nothing_and_repeats_nothing(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **SOON))
    tell(alertmanager, "StopFailed")
    count(telegram, 1)
    alertmanager.end()
    alertmanager.begin()
    # Prometheus tells it again and again while it lasts.
    tell(alertmanager, "StopFailed")
    count(telegram, 1)
    tell(alertmanager, "StopFailed", over=True)
    count(telegram, 2)
    assert telegram.texts() == ["🔴 StopFailed\nStopFailed of a", "✅ StopFailed is over\na"]


def test_a_restart_amid_refusals_tells_it_once(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **SOON))
    telegram.refuse_next([500] * 1000)
    tell(alertmanager, "StopFailed")
    eventually("the first refusal", lambda: telegram.refused)
    alertmanager.end()
    telegram.refusals.clear()
    alertmanager.begin()
    tell(alertmanager, "StopFailed")
    count(telegram, 1)


def test_what_follows_from_a_daemon_that_is_down_is_not_told(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **SOON))
    tell(alertmanager, "DaemonDown")
    tell(alertmanager, "ClockAnomaly", severity="warning")
    tell(alertmanager, "ClockAnomaly", severity="warning", instance="b")
    count(telegram, 2)
    assert {text.splitlines()[1] for text in telegram.texts()} == {"DaemonDown of a", "ClockAnomaly of b"}


def test_a_text_of_any_kind_and_length_arrives(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, **TOGETHER))
    wicked = "<b>&\"'</i><script>" * 1000
    name, names = "<i>odd&" + "y" * 5000, [f"{n}" + "'" * 5000 for n in range(100)]
    tell_all(alertmanager, [alert(name, instance=instance, summary=wicked) for instance in names])
    eventually("the message", lambda: telegram.messages)
    tell_all(alertmanager, [alert(name, over=True, instance=instance, summary=wicked) for instance in names[:50]])
    eventually("what is over", lambda: len(telegram.messages) > 1)
    assert telegram.refused == []
    assert "100 in all." in telegram.texts()[0] and "… (50)" in telegram.texts()[-1]
    text = telegram.texts()[0]
    assert text.startswith("🔴 <i>odd&yyy") and "<b>&\"'</i><script>" in text


def test_the_message_is_in_russian_if_that_is_wanted(stage: Stage) -> None:
    telegram = stage.telegram()
    alertmanager = stage.start(Alertmanager(stage.house, telegram, language="ru", **SOON))
    tell(alertmanager, "StopFailed", summary_ru="Не удалось", runbook_url="docs/runbooks/StopFailed.md")
    eventually("the message", lambda: telegram.messages)
    tell(alertmanager, "StopFailed", over=True)
    count(telegram, 2)
    assert telegram.texts() == [
        "🔴 StopFailed\nНе удалось\nЧто делать: docs/runbooks/StopFailed.md",
        "✅ StopFailed: всё в порядке\na",
    ]


def test_quiet_hours_hold_warnings_back_and_nothing_else(stage: Stage) -> None:
    telegram = stage.telegram()
    config = stage.house / "alertmanager.yml"
    template = (MONITORING / "alertmanager/alertmanager.yml").read_text()
    assert "# mute_time_intervals: [quiet_hours]" in template
    loud = template.replace("# mute_time_intervals", "mute_time_intervals")
    # All day, for the test may run at any time.
    loud = loud.replace("start_time: '20:00'", "start_time: '00:00'")
    render(config, loud, TELEGRAM_API_URL=telegram.url)
    config.write_text(hurried(config.read_text(), **SOON))
    alertmanager = stage.start(Alertmanager(stage.house, telegram))
    tell(alertmanager, "StreamsLost", severity="warning")
    tell(alertmanager, "StopFailed")
    count(telegram, 1)
    assert telegram.texts() == ["🔴 StopFailed\nStopFailed of a"]
    held = get_json(alertmanager.url + "/api/v2/alerts")
    assert {alert["labels"]["alertname"] for alert in held} == {"StopFailed", "StreamsLost"}


def test_the_rendered_file_is_its_owners_alone_and_amtool_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text("old")
    file.chmod(0o644)
    done = render(file)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"chat_id: {CHAT}\n" in file.read_text() and "${" not in file.read_text()
    checked = subprocess.run([find("amtool"), "check-config", str(file)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["alertmanager.yml"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TELEGRAM_BOT_TOKEN", ""),
        ("TELEGRAM_BOT_TOKEN", "123:abc\nevil: 1"),
        ("ADMIN_CHAT_ID", "@somebody"),
        ("ADMIN_CHAT_ID", "0"),
        ("ALERT_LANGUAGE", "de"),
        ("TELEGRAM_API_URL", "telegram.example"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_the_old_file_stays(tmp_path: Path, variable: str, value: str) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text("old")
    done = render(file, **{variable: value})
    assert done.returncode == 78 and file.read_text() == "old"
    assert variable in done.stderr or "line break" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["alertmanager.yml"]
