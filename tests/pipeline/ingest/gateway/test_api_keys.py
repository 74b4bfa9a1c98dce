"""API keys: made once, kept hashed."""

import hashlib
from pathlib import Path

import pytest

from pipeline.ingest.gateway.api_keys import Keys, KeysError, make_key


def read(folder: Path, text: str) -> Keys:
    file = folder / "keys"
    file.write_text(text)
    return Keys.read(file)


def test_a_made_key_is_known_by_its_line_and_no_other_key_is(tmp_path: Path) -> None:
    key, line = make_key("practice-system")
    keys = read(tmp_path, f"# senders\n\n{line}\n")
    assert keys.sender(key) == "practice-system"
    for wrong in ("", key + "x", key[:-1], key.swapcase(), line, line.rpartition(":")[2]):
        assert keys.sender(wrong) is None


def test_the_line_holds_the_digest_and_not_the_key() -> None:
    key, line = make_key("tablet")
    assert key not in line
    assert line == f"tablet sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def test_no_key_is_made_twice() -> None:
    assert len({make_key("a")[0] for _ in range(100)}) == 100


def test_a_sender_may_have_two_keys_while_it_changes_over(tmp_path: Path) -> None:
    (old, old_line), (new, new_line) = make_key("tablet"), make_key("tablet")
    keys = read(tmp_path, f"{old_line}\n{new_line}\n")
    assert keys.sender(old) == keys.sender(new) == "tablet"


def test_a_key_with_any_characters_can_be_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path, make_key("a")[1]).sender("ключ 🔑") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "holds no key"),
        ("# nothing\n", "holds no key"),
        ("tablet sha256:abc\n", "line 1: not `NAME sha256:HEX`"),
        (f"tablet sha256:{'g' * 64}\n", "line 1"),
        (f"tablet sha256:{'A' * 64}\n", "line 1"),
        (f"sha256:{'a' * 64}\n", "line 1"),
        (f"\na md5:{'a' * 64}\n", "line 2"),
        (f"a sha256:{'a' * 64}\nb sha256:{'a' * 64}\n", "line 2: this key is there twice"),
    ],
)
def test_a_wrong_line_of_the_file_is_reported_by_number_and_not_repeated(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(KeysError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert "aaaa" not in str(caught.value)


def test_a_file_that_does_not_exist_or_is_not_text_is_reported(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="cannot be read"):
        Keys.read(tmp_path / "none")
    (tmp_path / "keys").write_bytes(b"\xff\xfe")
    with pytest.raises(KeysError, match="UTF-8"):
        Keys.read(tmp_path / "keys")


@pytest.mark.parametrize("name", ["", "two words", "a\nb", "-a", "x" * 65, "ключ"])
def test_a_name_that_would_not_fit_on_its_line_is_refused(name: str) -> None:
    with pytest.raises(KeysError):
        make_key(name)
