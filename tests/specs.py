"""Descriptions of banks' APIs (OpenAPI 3.0) as their publishers give them out: what we send and what our simulators answer is held
against them.

They are not part of the repository. FLORIN_TEST_SPECS names their folder, or it lies beside the repository; tests of them skip without.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.servers.suite import CHOICE

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "specs"
FOLDER = Path(CHOICE.specs or BESIDE)
_BASE = "urn:described"
_HEAD_CHARS = 4_000
_DEPTH_AT_MOST = 12


def described_as(title: str) -> "Description":
    """The description with this title; the test that asks is skipped where there is none."""
    for path in sorted(FOLDER.glob("*.y*ml")) if FOLDER.is_dir() else ():
        with path.open() as file:
            if f"  title: {title}\n" in file.read(_HEAD_CHARS):
                return _load(path)
    pytest.skip(f"FLORIN_TEST_SPECS names no folder with a description of {title!r}")


@dataclass(frozen=True)
class Operation:
    """One operation, and where it stands in the description."""

    template: str
    pointer: str
    content: Mapping[str, Any]


class Description:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry: Any = Registry().with_resource(_BASE, Resource.from_contents(document, default_specification=DRAFT4))

    def operation(self, method: str, path: str) -> Operation:
        """What `path` (as after the server's prefix) means. Fails the test where nothing does."""
        for template, item in self.document["paths"].items():
            pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in template.split("/"))
            if re.fullmatch(pattern, path) and method.lower() in item:
                return Operation(template, f"/paths/{_escaped(template)}/{method.lower()}", item[method.lower()])
        raise AssertionError(f"{method} {path} is not described")

    def check_request(self, method: str, path: str, *, params: Mapping[str, str], headers: Mapping[str, str], body: object) -> None:
        """Parameters that are known and valid, those that are required there, and a body as described."""
        operation = self.operation(method, path)
        lowered = {name.lower(): value for name, value in headers.items()}
        described = {(each["in"], each["name"].lower()): each for each in map(self._followed, operation.content.get("parameters", []))}
        unknown = [name for name in params if ("query", name.lower()) not in described]
        assert not unknown, f"{method} {operation.template}: {unknown} are no parameters of it"
        for (place, name), parameter in described.items():
            given = {"query": {each.lower(): value for each, value in params.items()}, "header": lowered}.get(place, {})
            assert name in given or not parameter.get("required") or place == "path", f"{method} {operation.template}: {name} is missing"
            if name in given:
                self.check(given[name], schema=parameter["schema"])
        wanted = operation.content.get("requestBody")
        assert (wanted is None) == (body is None), f"{method} {operation.template}: a body where there is none, or none where there is"
        if wanted is not None:
            self.check(body, schema=self._followed(wanted)["content"]["application/json"]["schema"])

    def check_response(self, method: str, path: str, status: int, headers: Mapping[str, str], body: object) -> None:
        """A status that is described, with the headers that are required, and a body as described."""
        operation = self.operation(method, path)
        responses = operation.content["responses"]
        assert str(status) in responses or "default" in responses, f"{method} {operation.template} does not answer {status}"
        response = self._followed(responses.get(str(status), responses.get("default")))
        lowered = {name.lower() for name in headers}
        missing = [name for name, header in response.get("headers", {}).items() if header.get("required") and name.lower() not in lowered]
        assert not missing, f"{method} {operation.template} {status}: without {missing}"
        content = response.get("content")
        if content is None:
            assert not body, f"{method} {operation.template} {status}: a body where there is none"
            return
        self.check(body, schema=content["application/json"]["schema"])

    def check(self, value: object, *, schema: Mapping[str, Any] | str) -> None:
        """`schema`: itself, or the name of one of the components. Errors name the place, and quote the value."""
        wanted = {"$ref": f"{_BASE}#/components/schemas/{schema}"} if isinstance(schema, str) else _absolute(schema)
        validator = OAS30Validator(wanted, registry=self._registry, format_checker=oas30_format_checker)
        faults = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(value)]
        assert not faults, "\n".join(faults)

    def example(self, schema: str) -> Any:
        """An object as the examples of a component's properties make it; properties without an example are left out."""
        return self._example({"$ref": f"#/components/schemas/{schema}"}, 0)

    def response_examples(self) -> Iterator[tuple[str, str, int, Any]]:
        """Every example of a whole JSON answer: method, path template, status, body."""
        for template, item in self.document["paths"].items():
            for method, operation in item.items():
                if method not in ("get", "post", "put", "delete", "patch"):
                    continue
                for status, response in operation["responses"].items():
                    content = self._followed(response).get("content", {}).get("application/json", {})
                    shown = [content["example"]] if "example" in content else []
                    shown += [each["value"] for each in content.get("examples", {}).values() if "value" in each]
                    for body in shown:
                        yield method.upper(), template, int(status), body

    def _example(self, node: Any, depth: int) -> Any:
        node = self._followed(node)
        if "example" in node or depth > _DEPTH_AT_MOST:
            return node.get("example")
        if node.get("type") == "array":
            inner = self._example(node["items"], depth + 1)
            return None if inner is None else [inner]
        made = {name: self._example(each, depth + 1) for name, each in node.get("properties", {}).items()}
        return {name: value for name, value in made.items() if value is not None} or None

    def _followed(self, node: Any) -> Any:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node


def _absolute(node: Any) -> Any:
    """With references that hold outside of the document, too."""
    if isinstance(node, Mapping):
        return {name: f"{_BASE}{value}" if name == "$ref" else _absolute(value) for name, value in node.items()}
    return [_absolute(each) for each in node] if isinstance(node, list) else node


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@cache
def _load(path: Path) -> Description:
    return Description(yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506  (a safe one, both)
