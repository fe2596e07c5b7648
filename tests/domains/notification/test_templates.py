"""The words that are loaded: each type, channel and language once, rendered with what they name and nothing else."""

from collections import Counter

import pytest
from jinja2 import StrictUndefined, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from db.notification.models import CHANNELS, TYPES
from db.notification.reference.templates import HTML_CHANNELS, LOCALES, TEMPLATES, TemplateRow

HOSTILE = '<script>alert("1")</script> & {{ 7 * 7 }}'
TAGS = {"telegram": {"b"}, "email": {"p"}, "push": set[str](), "in_app": set[str]()}


def environment(channel: str) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(autoescape=channel in HTML_CHANNELS, undefined=StrictUndefined)


def title(row: TemplateRow) -> str:
    return f"{row.template_key} {row.channel} {row.locale}"


def test_every_type_has_words_for_every_channel_in_every_language() -> None:
    held = Counter((row.template_key, row.channel, row.locale) for row in TEMPLATES)

    assert held == Counter((kind, channel, locale) for kind in TYPES for channel in CHANNELS for locale in LOCALES)


@pytest.mark.parametrize("row", TEMPLATES, ids=title)
def test_a_template_names_the_variables_that_it_declares(row: TemplateRow) -> None:
    given = environment(row.channel)
    named = [meta.find_undeclared_variables(given.parse(text)) for text in (row.subject_template or "", row.body_template)]

    assert named[0] | named[1] == set(row.variables)
    assert len(set(row.variables)) == len(row.variables)
    assert "|" not in f"{row.subject_template}{row.body_template}"
    assert "{%" not in f"{row.subject_template}{row.body_template}"


@pytest.mark.parametrize("row", TEMPLATES, ids=title)
def test_a_template_says_what_it_is_given_and_lets_nobody_write_tags(row: TemplateRow) -> None:
    given = environment(row.channel)

    said = given.from_string(row.body_template).render({name: f"<{name}>" for name in row.variables})
    hostile = given.from_string(row.body_template).render(dict.fromkeys(row.variables, HOSTILE))

    around = ("&lt;", "&gt;") if row.channel in HTML_CHANNELS else ("<", ">")
    body = set(meta.find_undeclared_variables(given.parse(row.body_template)))
    assert all(f"{around[0]}{name}{around[1]}" in said for name in body)
    assert "49" not in hostile
    assert ("<script>" in hostile) is (row.channel not in HTML_CHANNELS)


@pytest.mark.parametrize("row", TEMPLATES, ids=title)
def test_a_channel_gets_only_the_tags_that_it_knows(row: TemplateRow) -> None:
    plain = dict.fromkeys(row.variables, "x")
    said = environment(row.channel).from_string(row.body_template).render(plain)
    tags = {part.partition(">")[0].lstrip("/") for part in said.split("<")[1:]}

    assert tags == TAGS[row.channel]
    assert (row.subject_template is None) is (row.channel == "telegram")
    assert len(row.subject_template or "") <= 255


def test_the_languages_differ() -> None:
    for kind in TYPES:
        bodies = {row.body_template for row in TEMPLATES if row.template_key == kind and row.channel == "email"}
        assert len(bodies) == len(LOCALES)
