"""Settings: all in one place, a wrong one refused with the way out, secrets masked."""

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.settings import Settings, SettingsError, documentation, from_environment


def test_the_environment_wins_over_the_default() -> None:
    settings = from_environment({"ALLIANCE_KAFKA": "broker:9092", "ALLIANCE_PARTITIONS": "3", "HOME": "/x"})
    assert (settings.kafka, settings.partitions) == ("broker:9092", 3)
    assert settings.database == Settings().database


@pytest.mark.parametrize("variable", [{"ALLIANCE_KAFFKA": "x"}, {"ALLIANCE_PARTITIONS": "many"}])
def test_a_wrong_variable_is_refused_with_its_name(variable: dict[str, str]) -> None:
    (name,) = variable
    with pytest.raises(SettingsError, match=name):
        from_environment(variable)


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
    told = CliRunner().invoke(main, ["doctor", "--help"]).output
    assert [name for name, _, _ in documentation() if name not in told] == []


def test_every_setting_says_what_it_is_for() -> None:
    assert all(meaning for _, _, meaning in documentation())
