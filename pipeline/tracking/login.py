"""MLflow's page behind a question for a token: an app of MLflow's server, which
`unroll ui` starts.

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
"""What pyproject.toml calls `guarded` among MLflow's apps."""

TOKEN = "UNROLL_UI_TOKEN"  # noqa: S105 - its name
"""The variable of the server's environment, which no other user can read, that holds
the token."""

REFUSED = (
    "This page is its owner's: "
    "open an address that this start of `unroll ui` has printed.\n"
)


def guarded() -> "ASGIApp":
    """Return MLflow's app behind a question for the token, since other users of this
    machine can reach it, too.
    """
    from mlflow.server.fastapi_app import app

    return asking(app, os.environ[TOKEN])


def asking(app: "ASGIApp", token: str) -> "ASGIApp":
    """Return an app that answers only those who have the token.

    A browser has it in the first address, and from then on as a cookie; a program as
    `MLFLOW_TRACKING_TOKEN`.
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
            opened = RedirectResponse("/", 303)  # a browser keeps what follows the #
            opened.set_cookie(cookie, token, httponly=True, samesite="lax")
            await opened(scope, receive, send)
        elif right(kept) or right(bearer.removeprefix("Bearer ")):
            await app(scope, receive, send)
        else:
            await PlainTextResponse(REFUSED, 401)(scope, receive, send)

    return asked
