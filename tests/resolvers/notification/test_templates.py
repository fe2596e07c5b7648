"""The words of notifications, as clients list them."""

from typing import Any

import pytest

from db.notification.reference.templates import TEMPLATES
from tests.resolvers.api import Client, codes
from tests.resolvers.conftest import MakeClient

LIST = """query($first: Int, $after: String, $filter: NotificationTemplateFilter) {
  notificationTemplates(first: $first, after: $after, filter: $filter) {
    nodes { key channel locale subject body variables } pageInfo { hasNextPage endCursor } totalCount
  }
}"""


async def test_every_template_is_listed_as_the_release_has_it(make_client: MakeClient) -> None:
    client = await make_client()

    page = (await client.data(LIST, first=100))["notificationTemplates"]

    assert page["nodes"] == [
        {
            "key": row.template_key,
            "channel": row.channel.upper(),
            "locale": row.locale,
            "subject": row.subject_template,
            "body": row.body_template,
            "variables": list(row.variables),
        }
        for row in sorted(TEMPLATES, key=lambda row: (row.template_key, row.channel, row.locale))
    ]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (96, False)


async def test_a_page_goes_on_where_it_ended(make_client: MakeClient) -> None:
    client, seen, after = await make_client(), [], None

    for _ in range(4):
        page = (await client.data(LIST, first=24, after=after))["notificationTemplates"]
        seen += [(node["key"], node["channel"], node["locale"]) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]

    assert (len(seen), len(set(seen)), seen == sorted(seen)) == (96, 96, True)


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"key": "budget_alert"}, 16),
        ({"channel": "EMAIL"}, 24),
        ({"locale": "fr-FR"}, 24),
        ({"key": "insight", "channel": "PUSH", "locale": "es-ES"}, 1),
        ({"key": None, "channel": None, "locale": None}, 96),
        ({"key": "no such"}, 0),
        ({"locale": "fr"}, 0),
    ],
)
async def test_the_list_is_narrowed_by_all_that_is_given(make_client: MakeClient, narrowed: dict[str, Any], expected: int) -> None:
    client = await make_client()

    page = (await client.data(LIST, first=100, filter=narrowed))["notificationTemplates"]

    assert (len(page["nodes"]), page["totalCount"]) == (expected, expected)


@pytest.mark.parametrize("key", ["x" * 101, "a\u0000b"])
async def test_a_key_that_none_has_is_refused(make_client: MakeClient, key: str) -> None:
    assert codes(await (await make_client()).ask(LIST, filter={"key": key})) == ["BAD_USER_INPUT"]


async def test_signed_out_no_template_is_shown(nobody: Client) -> None:
    assert codes(await nobody.ask(LIST)) == ["UNAUTHENTICATED"]
