"""The portal's files, for the embedded platform; in a cluster nginx serves them.

They are answered in front of the app: a page is for everybody and knows nothing of tokens or query parameters, which the API checks on
every call that the page makes.
"""

import json
import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.http import parse_accept_header
from werkzeug.security import safe_join
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What the API answers itself, below or at these paths.
_API = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json")
#: Names below it carry a digest of their content.
_DIGESTED = "assets/"
#: No inline script or style, nothing from elsewhere, in no frame.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Portal:
    """A WSGI app that serves the portal's build, and hands everything else to the API."""

    def __init__(self, api: "WSGIApplication", folder: Path, *, auth: str) -> None:
        """``folder`` is the build (``services/frontend/dist``); ``auth`` says whether the API wants a "token" or "none".

        Raises ValueError when the folder holds no build.
        """
        if not (folder / "index.html").is_file():
            raise ValueError(
                f"{folder} holds no index.html; build the portal with ./scripts/portal and set TRAINYARD_PORTAL_DIR to what it prints"
            )
        self._api, self._folder = api, folder
        self._config = json.dumps({"auth": auth})

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer, or let the API answer."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(_API) or environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return self._api(environ, start_response)
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.lstrip("/") or "index.html"
        if name == "config.json":
            return Response(self._config, mimetype="application/json", headers={**_HEADERS, "Cache-Control": "no-cache"})
        found = safe_join(str(self._folder), name)
        if found is None or not Path(found).is_file() or name.endswith(".gz"):
            if name.startswith(_DIGESTED):
                return Response(
                    "This file belongs to another version of the portal; load the page again.\n", 404, _HEADERS, mimetype="text/plain"
                )
            name, found = "index.html", str(self._folder / "index.html")  # the address of a page, which the portal itself reads
        return _file(request, name, Path(found))


def _file(request: Request, name: str, path: Path) -> Response:
    """The file, packed where the browser takes that; browsers keep what carries a digest, and ask again for everything else."""
    packed = path.with_name(f"{path.name}.gz")
    encoding = {}
    if packed.is_file() and parse_accept_header(request.headers.get("Accept-Encoding"))["gzip"]:
        path, encoding = packed, {"Content-Encoding": "gzip"}
    cache = "public, max-age=31536000, immutable" if name.startswith(_DIGESTED) else "no-cache"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = Response(path.read_bytes(), content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
    response.headers.update({**_HEADERS, **encoding, "Cache-Control": cache, "Vary": "Accept-Encoding"})
    response.add_etag()
    return response.make_conditional(request)
