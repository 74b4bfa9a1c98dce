"""Settings: all in one place, a wrong one refused with the way out, secrets masked."""

import pytest
from click.testing import CliRunner

from alliance.cli import main
from pipeline.runtime.settings import Settings, SettingsError, documentation, from_environment


def test_the_environment_wins_over_the_default() -> None:
    settings = from_environment({"ALLIANCE_KAFKA": "broker:9092", "ALLIANCE_PARTITIONS": "3", "HOME": "/x"})
    assert (settings.kafka, settings.partitions) == ("broker:9092", 3)
    assert settings.database == Settings().database


@pytest.mark.parametrize("variable", [{"ALLIANCE_KAFFKA": "x"}, {"ALLIANCE_PARTITIONS": "many"}])
def test_a_wrong_variable_is_refused_with_its_name(variable: dict[str, str]) -> None:
    (name,) = variable
    with pytest.raises(SettingsError, match=name):
        from_environment(variable)


#: By setting: what it takes, what it does not.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "KAFKA": (
        ["a:1", "a:9092, b:9092", "[::1]:9092", "a.b:1", "kafka.svc.:1", f"{'x' * 63}:1"],
        ["a", "a:0", "a:99999", "a: 1", "a:9092,", "http://a:9092", "::1:9092", "a..b:1", ".a:1", f"{'x' * 64}:1"],
    ),
    "KAFKA_API_VERSION": (["2.3", "2.3.1", "0.10.2", "0.11"], ["abc", "2", "0.1", "0.12", "2.", "2.3.4.5"]),
    "DATABASE": (
        ["sqlite://", "sqlite:///a b.sqlite", "postgresql://u:p@h/d", "postgresql+psycopg://u:p@h:5432/d"],
        ["nonsense", "mysql://h/d", "postgres://h/d", "postgresql+psycopg2://h/d", "postgresql://"],
    ),
    "APP_ID": (["alliance", "a.b_c-D1"], ["a b/ü", ".", "..", "a" * 101]),
    "PARTITIONS": (["1", "10000", " 3 "], ["0", "3 4", "-5", "10001", "1.5", "1_0", "9" * 5000]),
    "REPLICATION": (["1", "3"], ["0", "-1", "101"]),
    "HOST": (["::1", "0.0.0.0", "a-b.example"], ["a..b", "[::1]", "a b", "x" * 64, "http://a"]),
    **{
        f"{process}_PORT": (["0", "1", "65535"], ["-1", "65536", "99999"])
        for process in ("GATEWAY", "EXPORTER", "WORKER", "STORE", "NOTIFIER")
    },
    "ALERTMANAGER": (
        ["a:9093", "https://a", "http://u:p@a:9093/x, [::1]:9093"],
        ["nonsense", "http://", "http://a:99999", "ftp://a:1", "a:9093,", "http://[a", "http://a b"],
    ),
    "WORKLIST_URL": (["https://a/b"], ["a/b", "javascript:x", "https://a b"]),
    "SESSION_TIMEOUT_SECONDS": (["1", "1800"], ["0", "1801"]),
    "LOG_LEVEL": (["debug", "INFO", "warning", "error"], ["loud", "critical"]),
}
#: Files and folders: what is wrong with one is said where it is read.
PATHS = {"INSTRUMENTS", "PRIOR", "API_KEYS"}


def test_every_setting_but_a_path_has_a_form() -> None:
    assert {f"ALLIANCE_{name}" for name in VALUES.keys() | PATHS} == {name for name, _, _ in documentation()}


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_takes_what_has_its_form_and_nothing_else(name: str) -> None:
    taken, refused = VALUES[name]
    for text in taken:
        from_environment({f"ALLIANCE_{name}": text})
    for text in refused:
        with pytest.raises(SettingsError, match=rf"^ALLIANCE_{name} must be .+; it is.+\. Change it"):
            from_environment({f"ALLIANCE_{name}": text})


def test_a_setting_that_is_set_but_empty_has_its_default() -> None:
    assert from_environment({name: "" for name, _, _ in documentation()}) == Settings()


def test_a_wrong_value_is_shown_shortened_but_never_a_secret_one() -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({"ALLIANCE_PARTITIONS": "9" * 5000})
    assert "it is '99" in str(caught.value) and len(str(caught.value)) < 250
    with pytest.raises(SettingsError) as caught:
        from_environment({"ALLIANCE_DATABASE": "mysql://me:hunter2@h/d"})
    assert "hunter2" not in str(caught.value)


def test_a_default_has_its_form() -> None:
    from_environment({name: default for name, default, _ in documentation()})


def test_a_password_is_not_shown() -> None:
    settings = from_environment({"ALLIANCE_DATABASE": "postgresql://me:hunter2@db/alliance"})
    assert settings.masked()["ALLIANCE_DATABASE"] == "postgresql://me:***@db/alliance"
    assert "hunter2" not in str(settings.masked())
    settings = from_environment({"ALLIANCE_DATABASE": "postgresql://db/alliance?user=me&password=hunter2"})
    assert settings.masked()["ALLIANCE_DATABASE"] == "postgresql://db/alliance?user=me&password=***"


def test_a_password_with_a_slash_or_an_at_sign_is_not_shown() -> None:
    for password in ("hun/ter2", "hunter2@home", "hun:ter2"):
        settings = from_environment({"ALLIANCE_DATABASE": f"postgresql://me:{password}@db/alliance"})
        assert settings.masked()["ALLIANCE_DATABASE"] == "postgresql://me:***@db/alliance"


def test_a_value_without_a_secret_is_shown_as_it_is() -> None:
    for url in (
        Settings().database,
        "sqlite:////srv/alliance.sqlite",
        "postgresql://me@db:5432/alliance?sslmode=require",
    ):
        assert from_environment({"ALLIANCE_DATABASE": url}).masked()["ALLIANCE_DATABASE"] == url


def test_the_help_that_a_wrong_variable_leads_to_lists_every_setting() -> None:
    with pytest.raises(SettingsError, match="`alliance doctor --help`"):
        from_environment({"ALLIANCE_KAFFKA": "x"})
    result = CliRunner().invoke(main, ["doctor", "--help"]).output
    assert [name for name, _, _ in documentation() if name not in result] == []


def test_every_setting_says_what_it_is_for() -> None:
    assert all(meaning for _, _, meaning in documentation())
