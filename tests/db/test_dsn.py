"""DSNs: every common spelling is understood, each driver is told the same, and nothing of a password is in what is refused."""

from urllib.parse import quote, unquote, urlsplit

import pytest
from sqlalchemy.engine import make_url

from db.dsn import driver_dsn, postgres_dsn, redis_options

#: Every character that means something in a URL, in a shell, in JSON or in a file of passwords; some that are not ASCII.
HARD = "p@s:s/w#o%r?d&x y=z+;,'\"\\[]{}<>|^~`$!*()%41 é ß 密码 𝔘"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql+asyncpg://u:p%40ss@h:5432/d?ssl=verify-full", "postgresql://u:p%40ss@h:5432/d?sslmode=verify-full"),
        ("postgresql+asyncpg://u:p@/d?host=%2Frun%2Fpg", "postgresql://u:p@/d?host=%2Frun%2Fpg"),
        ("postgresql+asyncpg://u@h/d", "postgresql://u@h/d"),
        ("postgres://u@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u:p@h1:5432,h2:5433/d", "postgresql://u:p@/d?host=h1%3A5432%2Ch2%3A5433"),
        ("postgresql://u@h1,h2/d?target_session_attrs=any", "postgresql://u@/d?host=h1%2Ch2&target_session_attrs=any"),
        ("postgresql://u@/d?host=h1&host=h2&port=1&port=2", "postgresql://u@/d?host=h1%2Ch2&port=1%2C2"),
        ("postgresql://u@h/d?sslmode=require&channel_binding=prefer&gssencmode=disable", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@h/d?sslmode=require&sslmode=verify-full", "postgresql://u@h/d?sslmode=verify-full"),
    ],
)
def test_the_driver_is_told_the_same_in_its_own_spelling(given: str, expected: str) -> None:
    assert driver_dsn(given) == expected
    assert driver_dsn(postgres_dsn(given)) == expected


def test_a_hard_password_arrives_as_it_is() -> None:
    encoded = quote(HARD, safe="")
    dsn = postgres_dsn(f"postgresql://u:{encoded}@h/d")

    assert make_url(dsn).password == HARD
    assert unquote(urlsplit(driver_dsn(dsn)).netloc.partition("@")[0].partition(":")[2]) == HARD
    assert redis_options(f"redis://u:{encoded}@h/0")["password"] == HARD
    assert redis_options(f"unix://:{encoded}@/run/redis.sock?db=2") | {"connection_class": None} == {
        "password": HARD,
        "path": "/run/redis.sock",
        "db": 2,
        "connection_class": None,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("postgresql://u:canary@canary@h/d", "%40"),
        ("postgresql://u:canary@canary/x@h/d", "%40"),
        ("postgresql://u:canary@x?canary=x@h/d", "%40"),
        ("postgresql://u:canary@h:canary/d", "write it as postgresql://"),
        ("mysql://u:canary@h/d", "write it as postgresql://"),
        ("postgresql://u:canary@h", "write it as postgresql://"),
        ("postgresql://u:canary@h/d?canary=1", "one of its options is not an option"),
        ("postgresql://u:canary@h/d?connect_timeout=3", "connect_timeout is not an option"),
        ("postgresql://u:canary@h/d?channel_binding=require", "channel_binding cannot be required"),
        ("postgresql://u:canary@h/d?sslmode=canary", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("postgresql://u:canary@h/d?sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_quoting_it(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        postgres_dsn(given)

    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("redis://:canary/canary@h:6379/0", "%2F"),
        ("redis://:12/canary@h:6379/0", "%2F"),
        ("redis://:canary?canary@h/0", "%3F"),
        ("redis://:canary#canary@h/0", "%23"),
        ("redis://:canary[canary@h/0", "write it as redis://"),
        ("redis://:canary@h/canary", "write it as redis://"),
        ("redis://:canary\uff0fx@h/0", "write it as redis://"),
        ("http://:canary@h", "write it as redis://"),
        ("rediss://", "write it as redis://"),
        ("unix://:canary@?db=0", "write it as redis://"),
        ("redis://h/0?db=canary", "write it as redis://"),
        ("redis://h/0?canary=1", "one of its options is not an option"),
        ("redis://h/0?max_connections=1", "max_connections is not an option"),
        ("redis://h/0?ssl_ca_certs=/ca.crt", "ssl_ca_certs is not an option"),
        ("rediss://h/0?ssl_cert_reqs=canary", "ssl_cert_reqs is one of none, optional, required"),
    ],
)
def test_what_cannot_be_a_redis_is_refused_without_quoting_it(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        redis_options(given)

    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("rediss://h/0", True),
        ("rediss://h/0?ssl_cert_reqs=required", True),
        ("rediss://h/0?ssl_cert_reqs=none", False),
        ("rediss://h/0?ssl_check_hostname=false", False),
    ],
)
def test_the_name_in_a_certificate_is_checked_unless_that_is_turned_off(given: str, checked: bool) -> None:
    assert redis_options(given)["ssl_check_hostname"] is checked


def test_the_authorities_of_the_system_are_a_file_for_the_driver() -> None:
    dsn = driver_dsn("postgresql://u@h/d?sslmode=verify-full&sslrootcert=system")

    path = str(make_url(dsn).query["sslrootcert"])
    with open(path) as file:
        assert "BEGIN CERTIFICATE" in file.read()
