"""What a user's own categories say of merchants, and by what questions are known."""

import hashlib
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from domains.analytics.rules import Choice, query_hash, words_on_merchants

EARLY, LATE = date(2026, 1, 1), date(2026, 2, 1)
CHOICES = st.lists(
    st.builds(Choice, st.sampled_from("mn"), st.sampled_from("abc"), st.integers(1, 3), st.sampled_from([EARLY, LATE])), max_size=12
)


def test_most_transactions_decide() -> None:
    said = words_on_merchants([Choice("m", "a", 2, EARLY), Choice("m", "b", 1, LATE), Choice("n", "b", 1, LATE)])

    assert said == {"m": "a", "n": "b"}


def test_of_equals_the_latest_decides_and_then_the_name() -> None:
    assert words_on_merchants([Choice("m", "a", 1, LATE), Choice("m", "b", 1, EARLY)]) == {"m": "a"}
    assert words_on_merchants([Choice("m", "a", 1, LATE), Choice("m", "b", 1, LATE)]) == {"m": "b"}


def test_two_spellings_of_a_merchant_count_together() -> None:
    said = words_on_merchants([Choice("m", "a", 2, EARLY), Choice("m", "b", 1, EARLY), Choice("m", "b", 2, EARLY)])

    assert said == {"m": "b"}


@given(CHOICES, st.randoms())
def test_the_order_of_what_is_read_says_nothing(choices: list[Choice], random: object) -> None:
    shuffled = list(choices)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    said = words_on_merchants(choices)

    assert said == words_on_merchants(shuffled)
    assert said.keys() == {choice.merchant_name for choice in choices}


def test_a_question_is_known_by_the_sha256_of_what_is_asked_of_whom() -> None:
    assert query_hash("insight", "m", "Why?") == hashlib.sha256(b"insight\0m\0Why?").hexdigest()
    assert len({query_hash("insight", "m", "x"), query_hash("insight", "mx", ""), query_hash("categorization", "m", "x")}) == 3
