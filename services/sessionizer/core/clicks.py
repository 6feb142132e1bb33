"""Angry clicks: three in a second on one thing (DESIGN, *Friction*: ``rage_click``; G4)."""

from schemas.event import Event
from services.sessionizer.core.policy import Friction, SourceRules
from services.sessionizer.core.state import Click, Session, Visitor, packed, unpacked


def note(s: Session, event: Event, rules: SourceRules) -> bool:
    """Keep a click, and those before it that it may complete; tell whether it may be the last."""
    limits = rules.policy.friction
    kept = s.clicks
    if not kept or event.ts_ms - kept[-1].ts_ms > limits.rage_window_ms:
        s.clicks = [_click(event)]
        return limits.rage_clicks == 1
    kept.append(_click(event))
    del kept[: -limits.rage_clicks]
    return len(kept) == limits.rage_clicks


def rage_click(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find three clicks in one second on one page: on one element, or within 30 px of the first.

    Returns the first click of the three, which are then used up, ``""`` where there is no such
    pattern. Where coordinates or the viewport are unknown, only the element counts.
    """
    session = v.session
    kept = session.clicks if session is not None else None
    if session is None or not kept or not _is_rage(kept, rules.policy.friction):
        return ""
    session.clicks = None
    return unpacked(kept[0].event_id)


def _click(event: Event) -> Click:
    return Click(
        event.ts_ms,
        event.path,
        event.element,
        event.x,
        event.y,
        event.viewport,
        packed(event.event_id),
    )


def _is_rage(kept: list[Click], limits: Friction) -> bool:
    first, last = kept[0], kept[-1]
    if len(kept) < limits.rage_clicks:
        return False
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
