"""The shipped container and proxy files, as far as a machine without Docker can tell.

compose-spec.json is the Compose Specification's schema as docker-compose 1.29.2 carries it
(compose/config/compose_spec.json, Apache-2.0).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = [ROOT / "docker-compose.yml", ROOT / "config/scaling/docker-compose.yml"]
SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
# Made by the commands at the top of docker-compose.yml, and never part of the repository.
MADE = {".secrets/alertmanager.yml", ".secrets/grafana_admin_password"}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def services(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return list(read(path)["services"].items())


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
            match = re.search(r"(?i)(password|token|secret)\w*: *(\S+)", line.split("#")[0])
            assert not match or match[2].startswith(("/run/secrets/", "[", "./.secrets/")), line
    secrets = read(COMPOSE[0])["secrets"]
    assert {secret["file"].removeprefix("./") for secret in secrets.values()} <= MADE
    assert ".secrets" in (ROOT / ".gitignore").read_text() and ".secrets" in (ROOT / ".dockerignore").read_text()


@pytest.mark.parametrize("config", ["docker", "scaling"])
def test_the_daemon_takes_the_configuration_of_its_container(config: str) -> None:
    daemon = ROOT / "target/debug/sattva-monitor"
    assert daemon.exists(), "run `cargo build`"
    file = ROOT / f"config/{config}/sattva-monitor.toml"
    command = [str(daemon), "check-config", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={})
    assert done.returncode == 0, done.stdout + done.stderr


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
