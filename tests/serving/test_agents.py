"""Agents: the official client against the server, on standard input and over HTTP."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from tests.serving.running_service import LITTLE, running

from selfsent.serving.access import Access
from selfsent.serving.agents import agent_app
from selfsent.serving.service import Service


def run(talk):
    """Run a conversation in a thread of its own: in this one a browser's event loop may be running."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, talk).result()


async def conversation(client):
    """What an agent does: look at the tools, search, read, and make mistakes."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"search", "read_document", "status"}
    assert all(tool.description for tool in tools.values())

    found = (
        await client.call_tool("search", {"query": "a cat on the roof", "mode": "text", "k": 2})
    ).structured_content
    assert found["hits"][0]["document"] == "guide/cats.md"
    assert found["hits"][0]["file"] is None
    hit = found["hits"][0]

    whole = (await client.call_tool("read_document", {"document": hit["document"]})).structured_content
    assert whole["text"][hit["start"] : hit["end"]] == hit["text"]
    part = (
        await client.call_tool("read_document", {"document": hit["document"], "start": 4, "length": 3})
    ).structured_content
    assert (part["text"], part["start"], part["end"], part["characters"]) == ("cat", 4, 7, len(whole["text"]))

    status = (await client.call_tool("status", {})).structured_content
    assert (status["model"]["name"], status["store"]["documents"]) == ("little-tree", 4)

    for name, arguments, words in (
        ("read_document", {"document": "nothing"}, "the store holds no document 'nothing'"),
        ("search", {"query": "cat", "where": "pages = 1"}, "did you mean 'page'"),
        ("search", {"query": "   "}, "query must not be empty"),
        ("search", {"query": ""}, "query"),
        ("search", {"query": "cat", "k": 0}, "k"),
    ):
        answer = await client.call_tool(name, arguments)
        assert answer.is_error
        assert words in answer.content[0].text


async def by_http(url, key=None):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        await conversation(client)


def test_an_agent_on_standard_input(served_store):
    async def talk():
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "selfsent", "mcp", str(served_store), "--device", "cpu"],
            env=dict(os.environ),
        )
        async with Client(stdio_client(parameters)) as client:
            await conversation(client)

    run(talk())


def test_an_agent_over_http_enters_by_the_same_rules(served_store):
    service = Service.open(str(served_store), device="cpu", limits=LITTLE)
    access = Access(key="secret")
    with running(service, app=agent_app(service, access)) as address:
        run(by_http(f"{address}/mcp", "secret"))
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        key = {"Authorization": "Bearer secret"}
        assert httpx.post(f"{address}/mcp", json=body).status_code == 401
        assert httpx.post(f"{address}/mcp", json=body, headers=key | {"Host": "evil.example"}).status_code == 403
        assert (
            httpx.post(f"{address}/mcp", json=body, headers=key | {"Origin": "https://evil.example"}).status_code == 403
        )
        assert (
            httpx.post(
                f"{address}/mcp", content=b"{" * 300_000, headers=key | {"Content-Type": "application/json"}
            ).status_code
            == 413
        )
