"""In: what a machine has or lacks. Out: a folder complete or absent, or one sentence with the next step."""

import threading
from pathlib import Path

import pytest

from deploy.local import packages, parts
from deploy.local.console import PartsError
from deploy.local.places import ROOT
from deploy.testbed.kafka import Kafka


@pytest.fixture
def pom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARTS_FOLDER", str(tmp_path / "parts"))
    file = tmp_path / "pom.xml"
    file.write_text("<project/>")
    return file


def test_a_part_that_could_not_be_fetched_leaves_nothing_behind(pom: Path) -> None:
    def breaks_off(_pom: Path, folder: Path) -> None:
        (folder / "half.jar").write_text("half")
        raise PartsError("the network went away")

    with pytest.raises(PartsError):
        parts.fetched("thing", pom, "Fetching a thing", breaks_off)
    assert [path.name for path in (pom.parent / "parts").iterdir()] == [".thing.lock"]


def test_two_that_want_the_same_part_at_once_fetch_it_once(pom: Path) -> None:
    fills: list[Path] = []
    both_want_it = threading.Barrier(2)
    got: list[Path] = []

    def fill(_pom: Path, folder: Path) -> None:
        fills.append(folder)
        (folder / "whole.jar").write_text("whole")

    def want() -> None:
        both_want_it.wait(10)
        got.append(parts.fetched("thing", pom, "Fetching a thing", fill))

    threads = [threading.Thread(target=want) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(fills) == 1
    assert got[0] == got[1]
    assert (got[0] / "whole.jar").read_text() == "whole"


def test_another_version_in_the_pom_is_another_part(pom: Path) -> None:
    before = parts.fetched("thing", pom, "Fetching a thing", lambda _pom, _folder: None)
    pom.write_text("<project><version>2</version></project>")
    assert parts.fetched("thing", pom, "Fetching a thing", lambda _pom, _folder: None) != before


def test_without_root_a_missing_program_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "can_install", lambda: False)
    with pytest.raises(PartsError, match=r"^Maven is missing: install it with `\w.* install maven` and try again\.$"):
        packages.install("Maven", ("maven",), packages.InstallHint("maven", "maven"))


def test_without_apt_missing_monitoring_programs_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTS_FOLDER", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartsError, match=r"^Prometheus and Alertmanager are missing: install them, .+ try again\.$"):
        parts.program("prometheus")
    assert not (tmp_path / "monitoring").exists()


def test_no_list_of_packages_names_an_address() -> None:
    files = [parts.KAFKA_POM, parts.POSTGRES_POM, ROOT / "requirements.lock"]
    assert [file.name for file in files if "://" in file.read_text()] == []


def test_every_locked_package_has_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text().replace("\\\n", "")
    packages_locked = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    assert packages_locked
    assert [line for line in packages_locked if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.kafka
def test_a_broker_on_a_taken_port_says_so_in_one_sentence(kafka: Kafka, tmp_path: Path) -> None:
    with pytest.raises(PartsError, match=f"^{kafka.bootstrap} is taken: stop the server there"):
        Kafka(tmp_path, port=kafka.port).start()
