"""Who may read: a bearer token, the page's session cookie, or nobody's leave on open loopback.

A token that is shown must be right, also where reads are open: a wrong one is a mistake worth
telling. A stale cookie is not, so it only counts when it is right.
"""

from typing import Annotated

from fastapi import Depends, Request, Response

from services.metrics_api.errors import ApiError
from services.metrics_api.parts import Access, Parts, PartsOf

COOKIE = "waymark_read"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="waymark"'}


def bearer(request: Request) -> str:
    """Return the token of the Authorization header, empty where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise _refused("Authorization must be written: Bearer READ_TOKEN")
    return token.strip()


def reader(request: Request, parts: PartsOf) -> Access:
    """Return what the caller may read, or refuse with 401."""
    if token := bearer(request):
        return _known(parts, token)
    if (cookie := request.cookies.get(COOKIE)) and (known := parts.catalog.reads(cookie)):
        return Access(known.source)
    if parts.settings.open_reads:
        return Access(token=False)
    raise _refused("a read token is needed: Authorization: Bearer READ_TOKEN")


def eraser(access: Annotated[Access, Depends(reader)]) -> Access:
    """Return the access of a caller who may erase: open reads are no leave to destroy."""
    if not access.token:
        raise _refused("erasing needs a read token, also where reads are open")
    return access


def sign_in(parts: Parts, request: Request, response: Response, token: str) -> Access:
    """Put a right token into the page's cookie, out of reach of scripts and of other sites."""
    access = _known(parts, token)
    response.set_cookie(
        COOKIE,
        token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return access


def sign_out(response: Response) -> None:
    """Take the page's cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def _known(parts: Parts, token: str) -> Access:
    known = parts.catalog.reads(token)
    if known is None:
        if parts.catalog.grant(token) is not None:  # its holder learns nothing by being told so
            raise _refused(
                "this is a write key; reading needs a read token "
                "(`waymark keys create --kind read`)"
            )
        raise _refused("this read token is not known; `waymark keys ls` shows those that are")
    return Access(known.source)


def _refused(message: str) -> ApiError:
    return ApiError(401, "unauthorized", message, CHALLENGE)


Reader = Annotated[Access, Depends(reader)]
Eraser = Annotated[Access, Depends(eraser)]
