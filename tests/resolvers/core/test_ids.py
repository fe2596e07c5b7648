"""Global ids: what is not exactly one answers like one that leads nowhere."""

import uuid
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.ids import from_global_id, split_global_id, text_from_global_id, to_global_id

KEY = uuid.UUID("6f1f64d1-6c5c-4b0e-9d1a-0b9c7c0a5e55")


def encoded(text: str | bytes) -> str:
    return urlsafe_b64encode(text.encode() if isinstance(text, str) else text).decode()


@given(st.uuids(), st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True))
def test_an_id_leads_back_to_its_key_and_to_no_other_type(key: uuid.UUID, name: str) -> None:
    made = to_global_id(name, key)

    assert from_global_id(made, name) == key
    assert from_global_id(made, name + "X") is None


def test_a_text_key_comes_back_as_text() -> None:
    made = to_global_id("Category", "FOOD_AND_DRINK")

    assert text_from_global_id(made, "Category") == "FOOD_AND_DRINK"
    assert from_global_id(made, "Category") is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "====",
        "ünïcode",
        str(KEY),
        encoded(f"Pot:{KEY}").rstrip("="),
        encoded(f"Pot:{KEY}") + "====",
        encoded(f"Pot:{KEY}\n"),
        encoded(f"Pot: {KEY}"),
        encoded(f"Pot:{str(KEY).upper()}"),
        encoded(f"Pot:{{{KEY}}}"),
        encoded(f"Pot:urn:uuid:{KEY}"),
        encoded(f"Pot:{KEY.hex}"),
        encoded("Pot:"),
        encoded(f":{KEY}"),
        encoded(b"Pot:\xff\xfe"),
        encoded("Pot:" + "A" * 5_000),
        "A" * 100_000,
    ],
)
def test_what_is_malformed_is_nothing(value: str) -> None:
    assert from_global_id(value, "Pot") is None


@given(st.text(max_size=60))
def test_no_text_makes_the_decoder_fail(value: str) -> None:
    parts = split_global_id(value)

    assert parts is None or to_global_id(*parts) == value
