"""``/``: the first page, its style and script, and signing in to it; nothing external."""

from functools import cache
from importlib import resources
from typing import Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.metrics_api.auth import sign_in, sign_out
from services.metrics_api.errors import ApiError, not_found
from services.metrics_api.parts import PartsOf

router = APIRouter(include_in_schema=False)

MEDIA = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
GUARDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
FORM_BYTES = 4_096


@cache
def _file(name: str) -> bytes:
    return resources.files("services.metrics_api").joinpath("page", name).read_bytes()


def _serve(name: str) -> Response:
    return Response(_file(name), headers=GUARDS, media_type=MEDIA[name])


@router.get("/")
async def index() -> Response:
    """Serve the page; what it shows it asks for itself, under the caller's rights."""
    return _serve("index.html")


@router.get("/page/{name}")
async def asset(name: str) -> Response:
    """Serve the page's style and script."""
    if name not in MEDIA:
        raise not_found("file", name)
    return _serve(name)


@router.post("/signin")
async def signin(request: Request, parts: PartsOf) -> Response:
    """Take the page's form with a read token and remember it in the session cookie."""
    token = await _field(request, "token")
    answer = _back("/")
    try:
        sign_in(parts, request, answer, token)
    except ApiError:
        return _back("/?signin=failed")
    return answer


@router.post("/signout")
async def signout() -> Response:
    """Forget the token."""
    answer = _back("/")
    sign_out(answer)
    return answer


def _back(to: Literal["/", "/?signin=failed"]) -> RedirectResponse:
    return RedirectResponse(to, status_code=303)


async def _field(request: Request, name: str) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            raise ApiError(413, "too_large", f"the form is larger than {FORM_BYTES} bytes")
    return parse_qs(body.decode("latin-1")).get(name, [""])[0].strip()
