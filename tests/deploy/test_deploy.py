"""The shipped container and proxy files, as far as a machine without Docker can tell.

compose-spec.json is the Compose Specification's schema as docker-compose 1.29.2 carries it
(compose/config/compose_spec.json, Apache-2.0).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = [ROOT / "docker-compose.yml", ROOT / "config/scaling/docker-compose.yml"]
SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
# Made by the commands at the top of docker-compose.yml, and never part of the repository.
MADE = {
    ".secrets/alertmanager.yml",
    ".secrets/grafana_admin_password",
    ".secrets/prometheus.token",
    ".secrets/tokens",
}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def services(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(read(path)["services"].items())


def binary() -> Path:
    daemon = ROOT / "target/debug/sattva-monitor"
    assert daemon.exists(), "run `cargo build`"
    return daemon


def token(secrets: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the commands at the top of docker-compose.yml do, with the binary of this machine."""
    environment = {"PATH": os.environ["PATH"], "SECRETS": str(secrets), "SATTVA_MONITOR": str(binary())}
    command = [str(ROOT / "config/docker/token.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)


def settings(config: str, house: Path, **replaced: str) -> Path:
    """A container's configuration, with this machine's places."""
    text = (ROOT / f"config/{config}/sattva-monitor.toml").read_text()
    places = {"/etc/sattva-monitor/tokens": str(house / "secrets/tokens"), "/var/lib/sattva-monitor": str(house)}
    for old, new in {**places, **replaced}.items():
        assert old in text, old
        text = text.replace(old, new)
    (house / "sattva-monitor.toml").write_text(text)
    return house / "sattva-monitor.toml"


EVERY_SERVICE = [
    pytest.param(path, name, service, id=f"{path.parent.name}-{name}")
    for path in COMPOSE
    for name, service in services(path)
]


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: str(path.parent.name))
def test_a_compose_file_is_what_the_specification_allows(path: Path) -> None:
    document = read(path)
    specification = jsonschema.Draft201909Validator(SCHEMA)
    specification.validate(document)
    # The check can fail.
    document["services"]["redis"]["portz"] = []
    with pytest.raises(jsonschema.ValidationError):
        specification.validate(document)


@pytest.mark.parametrize(("path", "name", "service"), EVERY_SERVICE)
def test_a_service_runs_as_nobody_special_and_says_whether_it_is_well(
    path: Path, name: str, service: dict[str, Any]
) -> None:
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if "build" in service:
        dockerfile = (path.parent / service["build"] / "Dockerfile").read_text()
        assert re.search(r"^USER sattva-monitor$", dockerfile, re.MULTILINE)
    else:
        assert service["user"] not in {"root", "0"}
        assert re.search(r":v?\d+\.\d+", service["image"]), "a version, not whatever is newest"


@pytest.mark.parametrize(("path", "name", "service"), EVERY_SERVICE)
def test_what_a_service_mounts_is_there_and_its_ports_are_this_machines_alone(
    path: Path, name: str, service: dict[str, Any]
) -> None:
    volumes = read(path)["volumes"]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            file = (path.parent / source).resolve().relative_to(ROOT)
            assert str(file) in MADE or (ROOT / file).exists(), volume
            assert volume.endswith(":ro"), volume
        else:
            assert source in volumes, volume
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), port


def test_the_ports_and_the_retention_are_those_of_the_specification() -> None:
    by_name = dict(services(COMPOSE[0]))
    assert by_name["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    assert by_name["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    assert {"--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=1GB"} <= set(
        by_name["prometheus"]["command"]
    )


def test_no_password_is_given_by_default() -> None:
    for path in COMPOSE:
        for line in path.read_text().splitlines():
            match = re.search(r"(?i)(password|token|secret)\w*: +(\S+)", line.split("#")[0])
            assert not match or match[2].startswith(("/run/secrets/", "[", "./.secrets/")), line
    secrets = read(COMPOSE[0])["secrets"]
    assert {secret["file"].removeprefix("./") for secret in secrets.values()} <= MADE
    assert ".secrets" in (ROOT / ".gitignore").read_text() and ".secrets" in (ROOT / ".dockerignore").read_text()


@pytest.mark.parametrize("config", ["docker", "scaling"])
def test_the_daemon_takes_the_configuration_of_its_container_once_there_are_tokens(config: str, tmp_path: Path) -> None:
    command = [str(binary()), "check-config", "--config", str(settings(config, tmp_path))]
    without = subprocess.run(command, capture_output=True, text=True, timeout=30, env={})
    assert without.returncode == 78 and "there is no such file" in without.stderr, without.stdout + without.stderr
    assert token(tmp_path / "secrets", "operator", "operator").returncode == 0
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={})
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def daemon_of_the_container(house: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = settings("docker", house, **{"0.0.0.0:8080": f"127.0.0.1:{port}"})
    with (house / "log").open("w") as log:
        running = subprocess.Popen([str(binary()), "serve", "--config", str(config)], env={}, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(30)


def asks(url: str, token_file: Path | None = None, method: str = "GET") -> int:
    request = urllib.request.Request(url, method=method, data=b"{}" if method == "POST" else None)
    if token_file:
        # As Prometheus reads it.
        request.add_header("Authorization", "Bearer " + token_file.read_text().strip())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return 0


def test_the_tokens_open_to_each_what_is_theirs_and_to_nobody_else_anything(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    for name, role in (("operator", "operator"), ("prometheus", "metrics")):
        made = token(secrets, name, role)
        assert made.returncode == 0, made.stderr
    operator, prometheus = secrets / "operator.token", secrets / "prometheus.token"
    with daemon_of_the_container(tmp_path) as url:
        deadline = time.monotonic() + 30
        while asks(f"{url}/readyz") != 200:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        stop = f"{url}/api/v1/streams/jazz/stop"
        assert [asks(f"{url}/metrics"), asks(f"{url}/api/stats"), asks(stop, method="POST")] == [401, 401, 401]
        assert [asks(f"{url}/metrics", prometheus), asks(f"{url}/api/stats", prometheus)] == [200, 403]
        assert [asks(f"{url}/api/stats", operator), asks(stop, operator, "POST")] == [200, 404]


def test_a_token_is_read_by_those_it_is_for_and_never_written_over(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    assert token(secrets, "prometheus", "metrics").returncode == 0
    assert token(secrets, "radio-1", "streamer", "--channel", "-100*").returncode == 0
    mode = {path: (secrets / path).stat().st_mode & 0o777 for path in (".", "tokens", "tokens/tokens.toml")}
    assert mode == {".": 0o700, "tokens": 0o755, "tokens/tokens.toml": 0o644}
    # Prometheus is nobody in its container, and only whoever owns the folder comes so far outside.
    assert (secrets / "prometheus.token").stat().st_mode & 0o777 == 0o644
    assert (secrets / "radio-1.token").stat().st_mode & 0o777 == 0o600
    before = (secrets / "prometheus.token").read_text()
    again = token(secrets, "prometheus", "metrics")
    assert again.returncode == 78 and "is there already" in again.stderr
    (secrets / "prometheus.token").unlink()
    taken = token(secrets, "prometheus", "metrics")
    assert taken.returncode == 1 and "already" in taken.stderr, taken.stderr
    for wrong in ("../out", "a b", "a/b"):
        assert token(secrets, wrong, "viewer").returncode == 78
    assert {path.name for path in secrets.iterdir()} == {"tokens", "radio-1.token"}
    assert before.startswith("sattva_")


def test_the_prometheus_of_the_containers_is_the_shipped_one_with_a_token() -> None:
    ours, shipped = (
        read(ROOT / "config/docker/prometheus.yml"),
        read(ROOT / "config/monitoring/prometheus/prometheus.yml"),
    )
    (job,) = [job for job in ours["scrape_configs"] if job["job_name"] == "sattva-monitor"]
    secret = Path(job.pop("authorization")["credentials_file"])
    assert ours == shipped
    assert secret.parent == Path("/run/secrets")
    assert secret.name in dict(services(COMPOSE[0]))["prometheus"]["secrets"]


def test_the_targets_of_prometheus_are_services_of_the_same_file() -> None:
    names = dict(services(COMPOSE[0]))
    folder = ROOT / "config/docker/targets"
    assert {file.name for file in folder.iterdir()} == {
        file.name for file in (ROOT / "config/monitoring/prometheus/targets").iterdir()
    }
    for file in folder.iterdir():
        for target in yaml.safe_load(file.read_text())[0]["targets"]:
            assert target.split(":")[0] in {*names, "127.0.0.1"}, target


def certificate(house: Path) -> None:
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=monitor.example"
    subprocess.run(
        [*request.split(), "-keyout", "privkey.pem", "-out", "fullchain.pem"],
        cwd=house,
        check=True,
        capture_output=True,
        timeout=30,
    )


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found, f"{name} is missing: scripts/install.sh test installs it"
    return found


@pytest.mark.parametrize("upstream", ["one daemon", "two daemons"])
def test_nginx_takes_the_shipped_files(tmp_path: Path, upstream: str) -> None:
    certificate(tmp_path)
    site = (ROOT / "config/nginx/sattva-monitor.conf").read_text()
    site = site.replace("/etc/letsencrypt/live/monitor.example", str(tmp_path))
    assert str(tmp_path) in site
    if upstream == "two daemons":
        scaling = (ROOT / "config/scaling/nginx.conf").read_text()
        site, changed = re.subn(r"(?ms)^upstream sattva_monitor \{.*?^\}", lambda _: scaling, site, count=1)
        assert changed == 1
    (tmp_path / "site.conf").write_text(site)
    main = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; include site.conf; }}"
    (tmp_path / "nginx.conf").write_text(main)
    done = subprocess.run(
        [program("nginx"), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["haproxy.cfg", "haproxy-containers.cfg"])
def test_haproxy_takes_the_shipped_files(name: str) -> None:
    file = ROOT / "config/scaling" / name
    done = subprocess.run([program("haproxy"), "-c", "-f", file], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr


def test_every_file_that_the_dockerfile_copies_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            for source in words[1:-1]:
                assert (ROOT / source).exists(), line
