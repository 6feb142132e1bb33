"""Pages of a session: what counts as a page view, entry and exit, and the time spent (C2, C3).

The pages are the ``page_view`` events; where a session has none so far, its product views,
product lists and cart views stand in for them, and the first ``page_view`` discards those.
"""

from schemas.event import Event
from services.sessionizer.core import walks
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import PAGE_KINDS, TRUNCATED, Page, Session

SHORT = 48
"""A path and category of up to this many ASCII characters together are not weighed."""
ROOM = 6_144
"""Bytes that longer ones of one session may take; beyond it pages are only counted."""

KIND = {kind: place for place, kind in enumerate(PAGE_KINDS)}
KIND_OF_TYPE = {
    "product_view": KIND["product"],
    "product_list_view": KIND["category"],
    "cart_view": KIND["cart"],
}
OTHER = KIND["other"]


def add(s: Session, event: Event, rules: SourceRules) -> bool:
    """Note a page; tell whether the shopper came back to it from the page before.

    The first 200 pages ride in the session's row; of those after, the counts, the exit page and
    the time of the last one kept are known.
    """
    path, kind = event.path, event.page_kind
    category = event.products[0].category if event.products else ""
    offset_ms = event.ts_ms - s.start_ms
    if s.clicks and event.ts_ms - s.clicks[-1].ts_ms > rules.policy.friction.rage_window_ms:
        s.clicks = None  # nothing can complete them any more
    pages = s.pages
    place = len(pages)
    if (
        s.over_ms >= 0
        or place >= rules.policy.session.max_pages
        or (
            not (len(path) + len(category) <= SHORT and path.isascii() and category.isascii())
            and not _fits(s, path, category)
        )
    ):
        place = _pass_over(s, path, offset_ms)
    else:
        number = KIND[kind] if kind else KIND_OF_TYPE.get(event.type, OTHER)
        pages.append(Page(path, number, category, offset_ms))
        if s.page_engaged_ms >= 0:
            s.page_engaged_ms = -1
    return path != "" and walks.walk(s, path, place, offset_ms, event.event_id, rules)


def leave(s: Session, event: Event) -> None:
    """Add up how long the shopper says to have been engaged, in all and on the newest page."""
    engaged = event.engaged_ms
    if engaged is None:
        return
    s.engaged_ms += engaged
    if s.pages and s.over_ms < 0 and event.path in ("", s.pages[-1].path):
        s.page_engaged_ms = max(s.page_engaged_ms, 0) + engaged


def discard(s: Session) -> None:
    """Forget the pages so far, the first ``page_view`` having come."""
    s.pages = []
    s.steps = []
    s.exit_path = ""
    s.over_ms = -1
    s.turned = s.looped = 0
    s.page_engaged_ms = -1
    s.page_bytes = 0
    s.marks &= ~TRUNCATED


def _fits(s: Session, path: str, category: str) -> bool:
    s.page_bytes += len(path.encode()) + len(category.encode())
    return s.page_bytes <= ROOM


def _pass_over(s: Session, path: str, offset_ms: int) -> int:
    s.marks |= TRUNCATED
    s.exit_path = path
    if s.over_ms < 0:
        s.over_ms = offset_ms
    return -1
