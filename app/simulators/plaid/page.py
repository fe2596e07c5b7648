"""The page on which a person signs in: what Plaid's own dialogue would be. No script, nothing from elsewhere."""

from collections.abc import Iterable
from html import escape
from urllib.parse import urlencode

from app.simulators.bank import SimAccount

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }}
label, button {{ display: block; margin: .6rem 0; }}
code {{ display: block; padding: .6rem; background: #eee; word-break: break-all; user-select: all; }}
</style>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""


def sign_in(institution: str, link_token: str, accounts: Iterable[SimAccount], *, is_update: bool) -> str:
    """Where the person agrees, or does not."""
    listed = "".join(f"<li>{escape(account.name)} ···· {escape(account.mask)}</li>" for account in accounts)
    what = "Sign in again, so that the connection goes on." if is_update else "Sign in to share these accounts:"
    return _page(
        institution,
        f"""<p>This bank is a simulation: any name and password will do.</p>
<p>{what}</p>
<ul>{listed}</ul>
<form method="post" action="/link">
<input type="hidden" name="token" value="{escape(link_token)}">
<label>User name <input name="user" value="user_good" autocomplete="off"></label>
<label>Password <input name="password" type="password" value="pass_good" autocomplete="off"></label>
<button name="answer" value="agree">Sign in and agree</button>
<button name="answer" value="cancel">Cancel</button>
</form>""",
    )


def signed_in(institution: str, public_token: str, redirect_uri: str | None) -> str:
    """What the person's front end goes on with."""
    back = "" if redirect_uri is None else f'<p><a href="{escape(address(redirect_uri, public_token))}">Back to the app</a></p>'
    return _page(
        institution, f"<p>You are signed in. This is the public token for <b>bankLinkComplete</b>:</p>\n<code>{public_token}</code>{back}"
    )


def sorry(words: str) -> str:
    return _page("Not linked", f"<p>{escape(words)}</p>")


def address(redirect_uri: str, public_token: str) -> str:
    """The app's own page, with the token as Plaid's dialogue would hand it to the page's script."""
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode({'public_token': public_token})}"


def _page(title: str, content: str) -> str:
    return _FRAME.format(title=escape(title), content=content)
