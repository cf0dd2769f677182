"""The endpoints as a page of plain HTML, made of the OpenAPI description: it needs no script and no other host."""

import json
from html import escape
from typing import Any

_LINKS = '<link rel="icon" href="page/icon.svg"><link rel="stylesheet" href="page/page.css">'


def endpoint_list(description: dict[str, Any]) -> str:
    """Write the page.

    Args:
        description: The OpenAPI description.
    """
    info = description["info"]
    sections = [
        _section(method, path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = description.get("components", {}).get("schemas", {})
    bodies = [_schema(name, schemas[name]) for name in sorted(schemas)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}: endpoints</title>{_LINKS}</head>"
        f"<body><main><h1>What can be asked of {escape(info['title'])} {escape(info['version'])}</h1>"
        f'<p>{escape(info["description"])} <a href="openapi.json">The same as OpenAPI</a>. <a href="./">Back to the'
        f" page</a>.</p>{''.join(sections)}<h2>Values</h2>{''.join(bodies)}</main></body></html>"
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        _item(one["name"], one["schema"], is_needed=one.get("required", False))
        for one in operation.get("parameters", [])
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = "".join(
        f"<li>{escape(status)}: {escape(told.get('description', ''))}{_answer(told)}</li>"
        for status, told in sorted(operation.get("responses", {}).items())
    )
    return (
        f"<section><h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(operation.get('description') or operation.get('summary') or '')}</p>"
        + (f"<h3>Parameters</h3><ul>{parameters}</ul>" if parameters else "")
        + (f"<p>Body: {_kind(body)}</p>" if body else "")
        + f"<details><summary>Answers</summary><ul>{answers}</ul></details></section>"
    )


def _answer(told: dict[str, Any]) -> str:
    schemas = [one["schema"] for one in told.get("content", {}).values() if one.get("schema")]
    return f", {_kind(schemas[0])}" if schemas else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    needed = schema.get("required", [])
    items = "".join(_item(one, kind, is_needed=one in needed) for one, kind in schema.get("properties", {}).items())
    shown, told = escape(name), escape(schema.get("description", ""))
    return f'<section id="{shown}"><h3><code>{shown}</code></h3><p>{told}</p><ul>{items}</ul></section>'


def _item(name: str, schema: dict[str, Any], *, is_needed: bool) -> str:
    told = [_kind(schema), *([escape(schema["description"])] if "description" in schema else [])]
    if is_needed:
        told.append("needed")
    elif schema.get("default") is not None:
        told.append(f"default <code>{escape(json.dumps(schema['default']))}</code>")
    return f"<li><code>{escape(name)}</code>: {'; '.join(told)}</li>"


def _kind(schema: dict[str, Any]) -> str:
    """Name a kind of value, with its bounds; another schema becomes a link."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}"><code>{name}</code></a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return " or ".join(
            f"<code>{escape(json.dumps(one))}</code>" for one in schema.get("enum", [schema.get("const")])
        )
    kind = escape(str(schema.get("type", "any value")))
    if schema.get("type") == "array":
        kind = f"list of {_kind(schema.get('items', {}))}"
    names = {"minimum": "from", "maximum": "to", "maxLength": "characters up to", "maxItems": "items up to"}
    bounds = [f"{word} {schema[name]:,}" for name, word in names.items() if name in schema]
    return f"{kind} ({', '.join(bounds)})" if bounds else kind
