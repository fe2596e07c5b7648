"""The same server, in the driver's spelling."""

import pytest

from migrations.dsn import driver_dsn


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql+asyncpg://u:p%40ss@h:5432/d?ssl=verify-full", "postgresql://u:p%40ss@h:5432/d?sslmode=verify-full"),
        ("postgresql+asyncpg://u:p@/d?host=%2Frun%2Fpg", "postgresql://u:p@/d?host=%2Frun%2Fpg"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_a_dsn_keeps_everything_but_its_dialect(given: str, expected: str) -> None:
    assert driver_dsn(given) == expected
