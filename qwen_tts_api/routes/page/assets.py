"""Serve pages and their static files, with a Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flask import Response, render_template, send_from_directory
from werkzeug.exceptions import NotFound

# Python's `mimetypes` differs by machine, and browsers refuse scripts of a wrong type.
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


def send_page(template: str, values: dict[str, object], **sources: str) -> Response:
    """Render a page with a Content-Security-Policy that allows sources of this server only.

    Args:
        template: The file name in `templates/`.
        values: The template's variables.
        sources: Additional directives of the policy: `img_src="'self' data:"`.
    """
    policy = _POLICY | {name.replace("_", "-"): value for name, value in sources.items()}
    response = Response(render_template(template, **values), mimetype="text/html")
    response.headers["Content-Security-Policy"] = "; ".join(
        f"{name} {value}" for name, value in policy.items()
    )
    response.headers["X-Frame-Options"] = "DENY"
    # Not `no-referrer`: with it some browsers send `Origin: null`, which the origin check refuses.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-cache"
    return _disable_sniffing(response)


def send_asset(folder: Path, name: str) -> Response:
    """Return a static file, which the browser revalidates on every use.

    Raises:
        NotFound: There is no such file, or its type is not in MEDIA_TYPES.
    """
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None:
        raise NotFound
    return _disable_sniffing(send_from_directory(folder, name, mimetype=media_type))


def _disable_sniffing(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
