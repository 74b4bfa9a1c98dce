"""What `docker-compose.yml` and the files that it mounts promise, read as files: no Docker is needed.

In: the files of `deploy/`. Out: failures that name the service.
Never: a judgement on what only a running container shows.
"""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from alliance.cli import main
from deploy.local.places import ROOT
from pipeline.runtime.settings import PREFIX, Settings, from_environment

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PROCESSES = {name: service for name, service in OURS.items() if service["restart"] == "unless-stopped"}

#: `repository:tag`, the tag beginning with a whole version.
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?")
REQUIRED = re.compile(r"\$\{\w+:\?[^}]+\}")
OPTIONAL = re.compile(r"\$\{(\w+):-(.*)\}")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|KEY", re.IGNORECASE)
#: What cannot do without writing into its image.
WRITES_INTO_ITS_IMAGE = {"kafka"}

each_service = pytest.mark.parametrize("name", SERVICES)
each_process = pytest.mark.parametrize("name", PROCESSES)


def environment_of(name: str) -> dict[str, str]:
    """A service's variables, what a person must give filled in with a word, what a person may give left out."""
    found: dict[str, Any] = SERVICES[name].get("environment", {})
    return {variable: OPTIONAL.sub(r"\2", REQUIRED.sub("given", str(value))) for variable, value in found.items()}


def instructions(word: str) -> list[str]:
    """The arguments of every such instruction of the Dockerfile."""
    return re.findall(rf"^{word}\s+(.+)$", DOCKERFILE, re.MULTILINE)


def version_in_pom(part: str, artifact: str) -> str:
    """The version of the artifact of this name that the tests run against."""
    pom = (DEPLOY / part / "pom.xml").read_text()
    found = re.search(rf"<artifactId>{artifact}.*</artifactId>\s*<version>(.+)</version>", pom)
    assert found, f"deploy/{part}/pom.xml names no {artifact}"
    return found[1]


@each_service
def test_every_service_is_pinned_to_a_version(name: str) -> None:
    assert PINNED.fullmatch(SERVICES[name]["image"])


def test_the_image_is_made_from_a_pinned_one() -> None:
    assert all(PINNED.fullmatch(line.partition(" ")[0]) for line in instructions("FROM"))


def test_kafka_and_postgresql_are_those_that_the_tests_run_against() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version_in_pom('kafka', 'kafka_')}"
    release = version_in_pom("postgres", "embedded-postgres").removesuffix(".0")
    assert SERVICES["postgres"]["image"].startswith(f"postgres:{release}-")


def test_the_image_carries_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for service in OURS.values()} == {f"alliance-monitor:{version}"}
    assert f'image.version="{version}"' in DOCKERFILE


@each_service
def test_no_port_is_published_beyond_this_machine(name: str) -> None:
    for published in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", published)


@each_service
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    from_environment(environment_of(name))


@pytest.mark.parametrize("name", OURS)
def test_every_service_of_ours_runs_a_command_that_exists(name: str) -> None:
    assert SERVICES[name]["command"] in main.commands
    assert from_environment(environment_of(name)).host == "0.0.0.0"


@each_service
def test_no_secret_has_a_value_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET_NAME.search(variable):
            assert REQUIRED.fullmatch(value) or value.startswith("/run/secrets/"), variable
        for password in re.findall(r"://[^:/@]*:(.+)@", str(value)):
            assert REQUIRED.fullmatch(password), variable


def test_a_password_that_nobody_has_given_stops_the_start() -> None:
    given = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert given == {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD"}


def test_the_worklist_is_what_a_person_names_and_nothing_else_is_optional() -> None:
    optional = OPTIONAL.findall((ROOT / "docker-compose.yml").read_text())
    assert optional == [("ALLIANCE_WORKLIST_URL", Settings().worklist_url)]
    assert OPTIONAL.fullmatch(SERVICES["notifier"]["environment"][PREFIX + "WORKLIST_URL"])


@each_service
def test_every_service_has_the_least_of_rights_and_a_limit(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["read_only"] is (name not in WRITES_INTO_ITS_IMAGE)


@each_service
def test_every_service_that_stays_says_how_it_is(name: str) -> None:
    if name in PROCESSES:
        assert instructions("HEALTHCHECK") and "healthcheck" not in SERVICES[name]
    elif SERVICES[name]["restart"] == "unless-stopped":
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    else:
        assert SERVICES[name]["healthcheck"] == {"disable": True}


@each_process
def test_a_process_waits_for_the_topics_and_for_its_database(name: str) -> None:
    waits: dict[str, Any] = SERVICES[name]["depends_on"]
    assert waits["topics"] == {"condition": "service_completed_successfully"}
    assert ("postgres" in waits) is (PREFIX + "DATABASE" in environment_of(name))


def test_the_image_runs_as_a_user_without_rights() -> None:
    user, group = instructions("USER")[-1].split(":")
    assert int(user) >= 10_000 and int(group) >= 10_000
    assert f"uid={user},gid={group}" in SERVICES["worker"]["tmpfs"][1]
    assert DOCKERFILE.index("USER ") < DOCKERFILE.index("ENTRYPOINT ")


def test_the_image_names_no_address_to_fetch_from() -> None:
    assert "://" not in DOCKERFILE


def test_only_what_the_image_is_made_of_goes_to_the_engine() -> None:
    first, *kept = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert first == "*"
    wanted = {name for line in instructions("COPY") if "--from" not in line for name in line.split()[:-1]}
    assert {line[1:] for line in kept if line.startswith("!")} == wanted
    assert any(fnmatch("pipeline/__pycache__", line) for line in kept)


@each_process
def test_every_process_is_scraped_where_it_listens(name: str) -> None:
    ports: dict[str, int] = {
        job["job_name"]: job["dns_sd_configs"][0]["port"] for job in prometheus()["scrape_configs"]
    }
    assert ports[name] == getattr(Settings(), f"{name}_port")


def test_prometheus_looks_for_services_that_exist() -> None:
    named = [name for job in prometheus()["scrape_configs"] for name in job["dns_sd_configs"][0]["names"]]
    alerting = prometheus()["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert {*named, *(target.partition(":")[0] for target in alerting)} <= SERVICES.keys()


def prometheus() -> dict[str, Any]:
    """The scrape configuration."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    return found


def test_alertmanager_has_somebody_to_tell() -> None:
    settings = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    assert settings["route"]["receiver"] in [receiver["name"] for receiver in settings["receivers"]]


def test_the_data_source_is_the_prometheus_of_this_file_under_a_name_that_stays() -> None:
    path = DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")


@each_service
def test_what_is_mounted_from_the_repository_is_there_and_only_read(name: str) -> None:
    for mounted in SERVICES[name].get("volumes", []):
        source, _, target = mounted.partition(":")
        if source.startswith("."):
            assert (ROOT / source).is_dir() and target.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_the_secrets_lie_beside_the_file_and_not_in_it() -> None:
    assert all(Path(secret["file"]).parts[0] == "secrets" for secret in COMPOSE["secrets"].values())
