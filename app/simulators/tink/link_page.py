"""The page that stands for Tink Link: one bank, one button to agree, one to go away."""

import html
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tink Link, simulated</title></head>
<body style="font-family: sans-serif; max-width: 30em; margin: 4em auto">
<h1>{title}</h1>
<p>This page stands for Tink Link. <b>{client}</b> asks for your accounts and transactions at <b>Simulated Bank</b>.</p>
<form method="post" action="?{query}">
<button name="choice" value="agree">Agree</button>
<button name="choice" value="cancel">Cancel</button>
<button name="choice" value="fail">The bank says no</button>
</form></body></html>
"""


def page(query: Mapping[str, str], *, is_update: bool) -> str:
    title = "Agree again" if is_update else "Connect your bank"
    return _PAGE.format(title=title, client=html.escape(query.get("client_id", "")), query=html.escape(urlencode(query)))


def sent_back(redirect_url: str, answer: Mapping[str, str], state: str | None) -> str:
    """Where the browser goes: the app's own page, with the answer in its query."""
    said = dict(answer) if state is None else {**answer, "state": state}
    return f"{redirect_url}{'&' if urlsplit(redirect_url).query else '?'}{urlencode(said)}"


def error(status: str, reason: str) -> dict[str, str]:
    return {"error": status, "error_reason": reason, "message": "Something went wrong.", "tracking_id": "simulated"}


def is_address(redirect_url: str) -> bool:
    parts = urlsplit(redirect_url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)
