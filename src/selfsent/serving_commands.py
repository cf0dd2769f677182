"""The commands ``serve`` and ``mcp``: mistakes are found before anything heavy is imported."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from selfsent.command_options import Device
from selfsent.commands import Command, note
from selfsent.errors import UserError
from selfsent.search.store_place import is_store, no_store
from selfsent.serving.access import KEY_VARIABLE, Access, require_key

Host = Annotated[str, typer.Option(help="Name or address to listen on; 0.0.0.0 for all of this machine.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", envvar=KEY_VARIABLE, help="Key that clients must send; needed with --host.")
]
Model = Annotated[str | None, typer.Option("--model", help="Where the store's model is, if it was moved.")]
ShowPaths = Annotated[bool, typer.Option("--show-paths", help="Say in answers which files they are from.")]


def serve(
    place: Annotated[str, typer.Argument(metavar="STORE_OR_MODEL", help="A store, a build, or a model alone.")],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    api_key: ApiKey = None,
    model: Model = None,
    show_paths: ShowPaths = False,
    device: Device = None,
) -> None:
    """Serve a search page and an HTTP API: searches, documents, trees, OpenAI-style embeddings."""
    require_key(host, api_key)
    access = Access(host=host, key=api_key)
    require_place(place)
    require_extra("fastapi", "uvicorn", "prometheus_client", "sqlglot")
    from selfsent.serving.server import address_of, bound_socket
    from selfsent.serving.server import serve as run

    with bound_socket(host, port) as taken:
        from selfsent.serving.app import create_app
        from selfsent.serving.service import Service

        service = Service.open(place, model=model, device=device, show_paths=show_paths)
        address = address_of(taken, host)
        run(
            create_app(service, access),
            taken,
            service.limits,
            lambda: note(f"{service.model.name} is served at {address} (Ctrl-C stops it)"),
        )


def mcp(
    store: Annotated[str, typer.Argument(help="A store, or a build.")],
    http: Annotated[bool, typer.Option("--http", help="Listen on HTTP, at /mcp, instead of standard input.")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    api_key: ApiKey = None,
    model: Model = None,
    show_paths: ShowPaths = False,
    device: Device = None,
) -> None:
    """Let agents search a store and read its documents, by the Model Context Protocol."""
    if http:
        require_key(host, api_key)
    access = Access(host=host, key=api_key)
    require_place(store, only_store=True)
    require_extra("mcp", "fastapi", "uvicorn", "prometheus_client", "sqlglot")
    from selfsent.serving.agents import serve_http, serve_stdio

    if not http:
        serve_stdio(store, model=model, device=device, show_paths=show_paths)
        return
    from selfsent.serving.server import address_of, bound_socket

    with bound_socket(host, port) as taken:
        address = address_of(taken, host)
        serve_http(
            store,
            taken,
            access,
            lambda: note(f"agents are served at {address}mcp (Ctrl-C stops it)"),
            model=model,
            device=device,
            show_paths=show_paths,
        )


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (serve, mcp):
        app.command(cls=Command)(command)


def require_place(place: str, *, only_store: bool = False) -> None:
    """Refuse a place that does not exist, before torch is imported to find that out.

    Args:
        place: What the user named.
        only_store: Whether only a store will do.

    Raises:
        UserError: There is no such folder, or no store in it.
    """
    if is_store(place):
        return
    folder = Path(place)
    if only_store:
        raise no_store(place)
    from selfsent.loading import means_folder

    if means_folder(place) and not folder.exists():
        raise UserError(
            f"no store and no model at {place}: the folder does not exist; make one with `selfsent build`, or check the"
            " path"
        )


def require_extra(*modules: str) -> None:
    """Refuse to go on without the packages of the extra ``serve``.

    Raises:
        UserError: One of them is not installed.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"this needs {', '.join(missing)}: `pip install 'selfsent[serve]'`")
