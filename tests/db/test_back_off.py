from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.jobs import BACK_OFF_BASE_S, BACK_OFF_CAP_S, JobRef, back_off_s


def test_a_reference_reads_back() -> None:
    ref = JobRef("budget", uuid4(), 12)

    assert JobRef.parse(str(ref)) == ref
    for text in ("", "budget:1:2", f"budget:{ref.id}", f"budget:{ref.id}:x", f"{ref}:1"):
        with pytest.raises(ValueError):
            JobRef.parse(text)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_back_off_is_within_its_bounds(attempt: int, draw: float) -> None:
    bound = min(BACK_OFF_CAP_S, BACK_OFF_BASE_S * 2 ** min(attempt - 1, 100))

    assert 0 <= back_off_s(attempt, draw) <= bound
    assert back_off_s(attempt, draw) == pytest.approx(draw * bound)
    assert 0 <= back_off_s(attempt) <= bound


@given(st.integers(1, 100))
def test_back_offs_grow_until_the_cap(attempt: int) -> None:
    draw = 0.5

    assert back_off_s(attempt, draw) <= back_off_s(attempt + 1, draw) <= BACK_OFF_CAP_S * draw
