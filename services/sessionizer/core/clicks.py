"""Angry clicks: three in a second on one thing (DESIGN, *Friction*: ``rage_click``; G4)."""

from schemas.event import Event
from services.sessionizer.core.policy import Friction, SourceRules
from services.sessionizer.core.state import Click, Visitor


def rage_click(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find three clicks in one second on one page: on one element, or within 30 px of the first.

    Returns the first click of the three, which are then used up, ``""`` where there is no such
    pattern. Where coordinates or the viewport are unknown, only the element counts.
    """
    session = v.session
    if session is None:
        return ""
    limits = rules.policy.friction
    kept = session.clicks
    if kept is None or event.ts_ms - kept[-1].ts_ms > limits.rage_window_ms:
        kept = session.clicks = []
    kept.append(_click(event))
    if len(kept) < limits.rage_clicks:
        return ""
    del kept[: -limits.rage_clicks]
    if not _is_rage(kept, limits):
        return ""
    session.clicks = None
    return kept[0].event_id


def _click(event: Event) -> Click:
    return Click(
        event.ts_ms,
        event.path,
        event.element,
        event.x,
        event.y,
        event.viewport,
        event.event_id,
    )


def _is_rage(kept: list[Click], limits: Friction) -> bool:
    first, last = kept[0], kept[-1]
    if last.ts_ms - first.ts_ms > limits.rage_window_ms:
        return False
    if any(click.path != first.path for click in kept):
        return False
    if first.element and all(click.element == first.element for click in kept):
        return True
    return _is_near(kept, limits.rage_px)


def _is_near(kept: list[Click], radius: float) -> bool:
    first = kept[0]
    width, cross, height = first.viewport.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        return False
    for click in kept:
        if click.x is None or click.y is None or first.x is None or first.y is None:
            return False
        across = (click.x - first.x) * int(width)
        down = (click.y - first.y) * int(height)
        if across**2 + down**2 > radius**2:
            return False
    return True
