"""MLflow's page protected by a token: an app of MLflow's server for `unroll ui`.

MLflow's own login (`--app-name basic-auth`) needs another package and a database of
users.
"""

import os
import secrets
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

APP = "unroll"
"""The name of `guarded` among MLflow's apps, as in pyproject.toml."""

TOKEN = "UNROLL_UI_TOKEN"  # noqa: S105 - its name
"""The variable in the server's environment that holds the token. No other user can
read the environment."""

REFUSED = (
    "This page is its owner's: "
    "open an address that this start of `unroll ui` has printed.\n"
)


def guarded() -> "ASGIApp":
    """Return MLflow's app, protected by the token.

    Without a token, other users of this machine could open the page.
    """
    from mlflow.server.fastapi_app import app

    return asking(app, os.environ[TOKEN])


def asking(app: "ASGIApp", token: str) -> "ASGIApp":
    """Return an app that answers only requests with the token.

    A browser sends the token in its first address, later in a cookie. A program sends
    it as `MLFLOW_TRACKING_TOKEN`.
    """

    def right(given: str) -> bool:
        return secrets.compare_digest(given.encode(), token.encode())

    async def asked(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        cookie = f"unroll_{request.url.port}"  # cookies do not tell ports apart
        kept = request.cookies.get(cookie, "")
        bearer = request.headers.get("authorization", "")
        if right(request.query_params.get("token", "")):
            opened = RedirectResponse("/", 303)  # a browser keeps the part after #
            opened.set_cookie(cookie, token, httponly=True, samesite="lax")
            await opened(scope, receive, send)
        elif right(kept) or right(bearer.removeprefix("Bearer ")):
            await app(scope, receive, send)
        else:
            await PlainTextResponse(REFUSED, 401)(scope, receive, send)

    return asked
