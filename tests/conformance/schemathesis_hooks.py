"""What schemathesis is told of our scalars: mostly what they take, sometimes what they nearly do. Runs in its environment, not in ours."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes


def texts(good: st.SearchStrategy[str], *nearly: str) -> st.SearchStrategy[object]:
    return st.one_of(good, good, good, st.sampled_from(nearly)).map(nodes.String)


DIGITS = st.integers(0, 10**15 - 1)
schemathesis.graphql.scalar(
    "Decimal",
    texts(
        st.builds(lambda whole, part: f"{whole}.{part:02}", DIGITS, st.integers(0, 99)) | DIGITS.map(str),
        *("-1", "1e5", "NaN", "Infinity", "0.00001", "9" * 40, "١٢", " 1", ""),
    ),
)
schemathesis.graphql.scalar("Date", texts(st.dates().map(str), "2026-02-30", "0000-01-01", "20260101", "10000-01-01", ""))
schemathesis.graphql.scalar(
    "DateTime",
    texts(
        st.datetimes().map(lambda at: f"{at.isoformat(timespec='seconds')}Z"),
        "2026-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ),
)
schemathesis.graphql.scalar("LocalTime", texts(st.times().map(lambda at: at.strftime("%H:%M")), "24:00", "7:00", ""))
schemathesis.graphql.scalar("CurrencyCode", texts(st.sampled_from(["USD", "EUR", "JPY", "KWD"]), "usd", "XXX", "ZZZ", ""))
schemathesis.graphql.scalar("JSON", st.sampled_from(["{}", "[]", "null", '{"a": [1, 2.5, null, "x"]}', "5"]).map(nodes.String))
