"""MLflow's page behind a question for its token."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse

from pipeline.tracking import login


def ask(query="", **headers):
    """Status, headers and body of what is answered."""
    sent = []
    raw = [
        (name.encode(), value.encode())
        for name, value in {"host": "127.0.0.1:5000", **headers}.items()
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/x",
        "query_string": query.encode(),
        "headers": raw,
    }

    async def send(message):
        sent.append(message)

    asyncio.run(login.asking(PlainTextResponse("the page"), "right")(scope, None, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, sent[1]["body"].decode()


def test_a_browser_has_it_once_in_the_address_and_then_as_a_cookie_of_that_port():
    status, headers, _ = ask("token=right")
    assert (status, headers["location"]) == (303, "/")
    cookie, *flags = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax"} <= {*flags}
    assert ask(cookie=cookie)[::2] == (200, "the page")
    assert ask(cookie=cookie, host="127.0.0.1:5001")[0] == 401


def test_a_program_has_it_as_a_bearer():
    assert ask(authorization="Bearer right")[::2] == (200, "the page")


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("token=", {}),
        ("token=wr\u00f6ng", {}),
        ("", {"cookie": "unroll_5000=wrong"}),
        ("", {"authorization": "x"}),
    ],
)
def test_without_it_nothing_is_shown_or_changed(query, headers):
    assert ask(query, **headers)[::2] == (401, login.REFUSED)
