"""JSON is read exactly or not at all."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domains.bank.providers import strict_json
from domains.bank.providers.errors import ProviderGarbled

NUMBERS = st.decimals(min_value=Decimal(-(10**15)), max_value=Decimal(10**15), places=4)
LEAVES = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=20)
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5))


@given(DOCUMENTS)
def test_what_was_written_is_read(document: Any) -> None:
    assert strict_json.parse(json.dumps(document).encode()) == document


@given(NUMBERS)
def test_numbers_keep_every_digit_of_their_text(number: Decimal) -> None:
    text = format(number, "f")

    assert str(strict_json.parse(text.encode())) == text


@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:0123456789.eE+-tfnNaI\\u ', max_size=60).map(str.encode))
def test_whatever_comes_is_read_or_refused_and_never_a_float(data: bytes) -> None:
    try:
        document = strict_json.parse(data)
    except ProviderGarbled:
        return

    level = [document]
    while level:
        each = level.pop()
        assert not isinstance(each, float)
        level.extend(each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())


def test_a_mark_of_the_encoding_before_the_document_is_no_part_of_it() -> None:
    assert strict_json.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
