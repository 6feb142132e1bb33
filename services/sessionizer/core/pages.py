"""Pages of a session: what counts as a page view, entry and exit, and the time spent (C2, C3).

The pages are the ``page_view`` events; where a session has none so far, its product views,
product lists and cart views stand in for them, and the first ``page_view`` discards those.
"""

from schemas.event import Event
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import PAGE_KINDS, TRUNCATED, Page, Session

SHORT = 40
"""A path of up to this many ASCII characters is not weighed."""
ROOM = 12_288
"""Bytes that longer paths of one session may take; beyond it pages are only counted."""

KIND = {kind: place for place, kind in enumerate(PAGE_KINDS)}
KIND_OF_TYPE = {
    "product_view": KIND["product"],
    "product_list_view": KIND["category"],
    "cart_view": KIND["cart"],
}
OTHER = KIND["other"]


def add(s: Session, event: Event, rules: SourceRules) -> None:
    """Note a page; the first 200 ride in the session's row."""
    path = event.path
    kind = event.page_kind
    place = KIND[kind] if kind else KIND_OF_TYPE.get(event.type, OTHER)
    category = event.products[0].category if event.products else ""
    s.exit_path = path
    pages = s.pages
    if (
        s.over_ms < 0
        and len(pages) < rules.policy.session.max_pages
        and ((len(path) <= SHORT and not category and path.isascii()) or _fits(s, path, category))
    ):
        pages.append(Page(path, place, category, event.ts_ms - s.start_ms))
        s.page_engaged_ms = -1
        return
    s.marks |= TRUNCATED
    if s.over_ms < 0:
        s.over_ms = event.ts_ms - s.start_ms


def leave(s: Session, event: Event) -> None:
    """Add up how long the shopper says to have been engaged, in all and on the newest page."""
    engaged = event.engaged_ms
    if engaged is None:
        return
    s.engaged_ms += engaged
    if s.pages and s.over_ms < 0 and event.path in ("", s.exit_path):
        s.page_engaged_ms = max(s.page_engaged_ms, 0) + engaged


def discard(s: Session) -> None:
    """Forget the pages so far, the first ``page_view`` having come."""
    s.pages = []
    s.steps = []
    s.exit_path = ""
    s.over_ms = -1
    s.turn_fresh = s.loop_fresh = 0
    s.page_engaged_ms = -1
    s.page_bytes = 0
    s.marks &= ~TRUNCATED


def _fits(s: Session, path: str, category: str) -> bool:
    s.page_bytes += len(path.encode()) + len(category.encode())
    return s.page_bytes <= ROOM
