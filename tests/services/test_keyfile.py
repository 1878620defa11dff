"""The key file: whole from its first moment, and for nobody else to read."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from hubbub.kernel.errors import Invalid
from hubbub.services import keyfile
from hubbub.services.encryption import new_entry


def test_of_several_hubs_that_start_at_once_all_have_the_same_key(tmp_path):
    path = tmp_path / "folder" / "keys"
    with ThreadPoolExecutor(8) as hubs:
        list(hubs.map(lambda _: keyfile.make(path, 1), range(8)))
    assert [each.name for each in path.parent.iterdir()] == ["keys"]
    assert keyfile.read(path).current == 1


def test_a_file_that_is_there_stays(tmp_path):
    path = tmp_path / "keys"
    path.write_text(new_entry(7))
    path.chmod(0o600)
    keyfile.make(path, 1)
    assert keyfile.read(path).current == 7


def test_where_no_file_can_be_made_that_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Invalid) as refused:
        keyfile.make(tmp_path / "file" / "keys", 1)
    assert refused.value.details["errors"][0]["field"] == "key_file"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o622, 0o660, 0o601])
def test_keys_that_others_can_touch_are_refused(tmp_path, mode):
    path = tmp_path / "keys"
    path.write_text(new_entry(1))
    path.chmod(mode)
    with pytest.raises(Invalid):
        keyfile.read(path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"v1:\xc3\xa4"])
def test_what_holds_no_keys_is_refused(tmp_path, content):
    path = tmp_path / "keys"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Invalid):
        keyfile.read(path)


def test_a_folder_holds_no_keys(tmp_path):
    with pytest.raises(Invalid):
        keyfile.read(tmp_path)
