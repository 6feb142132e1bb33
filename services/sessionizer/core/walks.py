"""Going to and fro between pages: ``u_turn`` and ``loop`` (DESIGN, *Friction*; G5).

The places walked are the pages of the session that have a path; a reload is no new place. They
begin anew when the first ``page_view`` discards the product views before it. The session
counts how many of them former patterns have used up.
"""

from schemas.event import Event
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import Session, Step, Visitor, packed, unpacked

SHORTEST = 3
"""Places of the shorter pattern: there, away and back."""


def walk(
    s: Session, path: str, page: int, offset_ms: int, event_id: str, rules: SourceRules
) -> bool:
    """Note the place a page leads to; tell whether it was left by the step before the last.

    ``page`` is its place among the session's pages, -1 where it found no room there. Only places
    that a pattern may still reach back to are kept: both patterns go to and fro, so whoever goes
    on instead of back leaves all but the last place and this one behind.
    """
    steps = s.steps
    n = len(steps)
    number = 0
    back = False
    if n:
        last = steps[-1]
        if (last.path or s.pages[last.page].path) == path:
            return False
        number = last.number + 1
        if n > 1:
            back = _path(s, steps[-2]) == path
            most = max(2 * rules.policy.friction.loop_visits, SHORTEST) if back else 2
            if n >= most:
                del steps[: n + 1 - most]
    steps.append(Step(number, page, offset_ms, packed(event_id), path if page < 0 else ""))
    return back


def _path(s: Session, step: Step) -> str:
    return step.path or s.pages[step.page].path


def u_turn(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a page left for another and come back to within 5 s of reaching the other.

    Returns the event of the first look at the page; the second may begin the next pattern.
    """
    s = v.session
    if s is None or len(s.steps) < SHORTEST or not _arrived(s, event):
        return ""
    there, away, back = s.steps[-SHORTEST:]
    late = back.offset_ms - away.offset_ms > rules.policy.friction.u_turn_ms
    if there.number < s.turned or late:
        return ""
    s.turned = back.number
    return unpacked(there.event_id)


def loop(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find two pages visited in turn, each four times within 90 s; the next loop begins afterwards.

    Returns the event of the first of the eight visits.
    """
    s = v.session
    limits = rules.policy.friction
    need = 2 * limits.loop_visits
    if s is None or len(s.steps) < need or not _arrived(s, event):
        return ""
    lap = s.steps[-need:]
    if lap[0].number < s.looped or lap[-1].offset_ms - lap[0].offset_ms > limits.loop_window_ms:
        return ""
    s.looped = lap[-1].number + 1
    return unpacked(lap[0].event_id)


def _arrived(s: Session, event: Event) -> bool:
    """Tell whether this event led to the newest place, rather than reloaded it or had no path."""
    return bool(s.steps) and s.steps[-1].event_id == packed(event.event_id)
