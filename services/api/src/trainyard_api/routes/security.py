"""Who may call, and what browsers may do with the answers."""

import hmac

from flask import Flask, Response, request

from trainyard_api.routes.problems import problem

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def register(app: Flask, token: str | None) -> None:
    """Ask for the bearer token on everything but health and readiness; None: anybody may call.

    Raises ValueError for an empty token, which would let everybody in.
    """
    if token is not None:
        if not token:
            raise ValueError("the API's token file is empty; write a token into it (32 random characters or more)")
        expected = token.encode()
        app.before_request(lambda: _authenticate(expected))
    app.after_request(_add_headers)


def _authenticate(expected: bytes) -> Response | None:
    if request.path in OPEN_PATHS:
        return None
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(errors="replace"), expected)
    if scheme.lower() == "bearer" and right:
        return None
    detail = "send the API's token: Authorization: Bearer <token>" if not given else "this is not the API's token"
    return problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="trainyard"'})


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
