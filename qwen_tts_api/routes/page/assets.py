"""Pages, and the files that they consist of: served from here, and kept to themselves."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flask import Response, render_template, send_from_directory
from werkzeug.exceptions import NotFound

# Python's own table differs by version and machine, and browsers refuse a script of another type.
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
    """Return a page in which nothing from elsewhere runs, and which asks nobody else.

    Args:
        template: Its file in `templates/`.
        values: What the template needs.
        sources: What the page needs beyond scripts, styles, images and answers of this server, by
            directive: `img_src="'self' data:"`.
    """
    policy = _POLICY | {name.replace("_", "-"): value for name, value in sources.items()}
    response = Response(render_template(template, **values), mimetype="text/html")
    response.headers["Content-Security-Policy"] = "; ".join(
        f"{name} {value}" for name, value in policy.items()
    )
    response.headers["X-Frame-Options"] = "DENY"
    # Nobody else learns the page's address. With `no-referrer` some browsers hide the origin from
    # this server, too, which then cannot tell its own page from another.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-cache"
    return _refuse_guessing(response)


def send_asset(folder: Path, name: str) -> Response:
    """Return a file of a page; the browser asks every time whether there is a newer one.

    Raises:
        NotFound: There is no such file, or it is of no type that pages have.
    """
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None:
        raise NotFound
    return _refuse_guessing(send_from_directory(folder, name, mimetype=media_type))


def _refuse_guessing(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
