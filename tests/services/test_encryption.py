"""What is encrypted can be read where it belongs, with its key, and nowhere else."""

import hashlib
from base64 import b64decode

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from hubbub.kernel.errors import Conflict, Invalid
from hubbub.services.encryption import (
    Encrypted,
    KeyMissing,
    Place,
    Ring,
    Unreadable,
    new_entry,
    ring_of,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
HERE = Place(client_id="c1", name="TOKEN")
RING = Ring({1: OLD}, 1)
# Deriving is slow on purpose.
few = budget(max_examples=10)


@pytest.mark.slow
@few
@given(st.text(), st.text(), st.text())
def test_what_is_encrypted_is_what_is_decrypted(clear, client_id, name):
    place = Place(client_id=client_id, name=name)
    stored = msgspec.json.encode(RING.encrypt(clear, place))
    assert RING.decrypt(msgspec.json.decode(stored, type=Encrypted), place) == clear


@pytest.mark.slow
@few
@given(st.data())
def test_whatever_bit_is_turned_nothing_is_read(data):
    value = RING.encrypt("hush", HERE)
    field = data.draw(st.sampled_from(["salt", "iv", "data"]))
    good = getattr(value, field)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    turned = bytearray(good)
    turned[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        RING.decrypt(msgspec.structs.replace(value, **{field: bytes(turned)}), HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        Place(client_id="c2", name="TOKEN"),
        Place(client_id="c1", name="OTHER"),
        Place(client_id='c1","TOK', name="EN"),
        Place(client_id="c1TOKEN", name=""),
    ],
)
def test_a_value_that_is_copied_elsewhere_cannot_be_read(elsewhere):
    with pytest.raises(Unreadable):
        RING.decrypt(RING.encrypt("hush", HERE), elsewhere)


def test_the_form_is_what_others_can_read():
    document = msgspec.json.decode(msgspec.json.encode(RING.encrypt("hush", HERE)))
    salt, iv, data = (b64decode(document[each]) for each in ("salt", "iv", "data"))
    assert (document["keyVersion"], len(salt), len(iv)) == (1, 16, 12)
    key = hashlib.pbkdf2_hmac("sha256", OLD, salt, 100_000, 32)
    assert AESGCM(key).decrypt(iv, data, b'["c1","TOKEN"]') == b"hush"


def test_nothing_is_encrypted_twice_alike():
    one, other = RING.encrypt("hush", HERE), RING.encrypt("hush", HERE)
    assert {one.salt, one.iv, one.data}.isdisjoint({other.salt, other.iv, other.data})


def test_the_first_key_encrypts_and_all_decrypt():
    before = RING.encrypt("hush", HERE)
    rotated = Ring({2: NEW, 1: OLD}, 2)
    after = rotated.encrypt("hush", HERE)
    assert [each.key_version for each in (before, after)] == [1, 2]
    assert [rotated.decrypt(each, HERE) for each in (before, after)] == ["hush", "hush"]
    with pytest.raises(KeyMissing) as missing:
        RING.decrypt(after, HERE)
    assert missing.value.details == {"client": "c1", "secret": "TOKEN", "version": 2}
    assert isinstance(missing.value, Conflict)


def test_a_ring_is_written_in_lines_or_after_commas():
    one, two, three = (new_entry(version) for version in (1, 2, 3))
    for text in (f"{three},{two},{one}", f"# keys\n{three}\n\n {two} , {one} # old\n"):
        ring = ring_of(text)
        assert (ring.current, [version in ring for version in (0, 1, 2, 3, 4)]) == (
            3,
            [False, True, True, True, False],
        )


@pytest.mark.parametrize(
    "text",
    ["", "# none", "v1", "v1:", "v1:short", "1:" + "A" * 43 + "=", "v0:" + "A" * 43 + "=",
     "v1:" + "A" * 43, "v1:" + "A" * 44 + "====", "v1:" + "A" * 43 + "=\nv1:" + "B" * 43 + "="],
)  # fmt: skip
def test_a_ring_that_cannot_be_read_is_refused_without_a_word_of_it(text):
    with pytest.raises(Invalid) as refused:
        ring_of(text)
    assert refused.value.details["errors"][0]["field"] == "key_file"
    assert "AAAA" not in str(refused.value.details) + refused.value.message
