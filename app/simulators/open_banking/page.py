"""The bank's own page, on which its customer agrees. No script, nothing from elsewhere."""

from collections.abc import Iterable
from html import escape
from urllib.parse import urlencode, urlsplit

from app.simulators.bank import SimAccount
from app.simulators.open_banking.authority import Asked, SimConsent

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated Bank</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }}
button {{ display: block; margin: .6rem 0; }}
</style>
</head>
<body>
<h1>Simulated Bank</h1>
{content}
</body>
</html>
"""


def agreement(query: str, client_id: str, consent: SimConsent, accounts: Iterable[SimAccount]) -> str:
    """Where the person agrees, or does not."""
    shown = "".join(f"<li>{escape(account.name)} ···· {escape(account.mask)}</li>" for account in accounts)
    until = "" if consent.expires_at is None else f" until {consent.expires_at.date().isoformat()}"
    return _FRAME.format(
        content=f"""<p>This bank is a simulation: nobody signs in.</p>
<p><b>{escape(client_id)}</b> asks to see these accounts{until}, with what they hold and what moves on them:</p>
<ul>{shown}</ul>
<form method="post" action="?{escape(query)}">
<button name="answer" value="agree">Agree</button>
<button name="answer" value="refuse">Refuse</button>
</form>"""
    )


def sorry(word: str) -> str:
    return _FRAME.format(content=f"<p>This address cannot be used: {escape(word)}.</p>")


def sent_back(asked: Asked, answer: dict[str, str]) -> str:
    """Where the browser goes: with the answer in the query, or in the fragment where an id token comes along (OAuth 2.0 Multiple
    Response Types, 5)."""
    said = urlencode({**answer, "state": asked.state})
    if asked.response_type != "code":
        return f"{asked.redirect_url}#{said}"
    return f"{asked.redirect_url}{'&' if urlsplit(asked.redirect_url).query else '?'}{said}"
