"""GraphiQL from our own files."""

import re

import httpx
import pytest

from app.http.console import FOLDER, PAGES
from app.settings import Settings
from tests.app.http.conftest import api


async def test_the_front_page_leads_to_the_console_where_it_is_on(client: httpx.AsyncClient) -> None:
    response = await client.get("/")

    assert (response.status_code, response.headers["location"]) == (307, "/console")


async def test_ide_where_it_is_off_nothing_of_it_is_served(settings: Settings) -> None:
    async with api(settings, graphiql=False) as client:
        front = await client.get("/")
        found = [(await client.get(path)).status_code for path in ("/console", *(f"/console/{name}" for name in PAGES))]

    assert front.json() == {"name": "florin", "graphql": "/graphql", "uploads": "/uploads", "ready": "/health/ready"}
    assert set(found) == {404}


async def test_the_page_names_nothing_that_is_not_ours(client: httpx.AsyncClient) -> None:
    page = await client.get("/console")

    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named == ["data:,", "/console/console.css", "/console/console.js"]
    assert [(await client.get(path)).status_code for path in named[1:]] == [200, 200]
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|<style", page.text)
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_its_files_are_sent_once(client: httpx.AsyncClient) -> None:
    first = await client.get("/console/console.js")
    again = await client.get("/console/console.js", headers={"if-none-match": first.headers["etag"]})

    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.content == (FOLDER / "console.js").read_bytes()
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["README.md", "source", "..%2Fconsole.py", "%2e%2e/console.py", "source/package.json"])
async def test_nothing_else_of_the_folder_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/console/{name}")).status_code == 404


def test_the_bundle_was_built_from_its_source_and_names_its_licences() -> None:
    licences = (FOLDER / "LICENSES.txt").read_text()

    for package in ("graphiql 4.", "react 19.", "react-dom 19.", "graphql 16.", "graphql-ws 6.", "codemirror 5."):
        assert f"\n{package}" in licences
    for phrase in ("FirstLook", "Forget the token"):
        assert phrase in (FOLDER / "console.js").read_text()
