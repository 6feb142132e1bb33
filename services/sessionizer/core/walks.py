"""Going to and fro between pages: ``u_turn`` and ``loop`` (DESIGN, *Friction*; G5).

The places walked are the pages of the session that have a path; a reload is no new place. They
begin anew when the first ``page_view`` discards the product views before it. The session
counts how many of them former patterns have used up.
"""

from schemas.event import Event
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import Session, Step, Visitor


def walk(
    s: Session, path: str, page: int, offset_ms: int, event_id: str, rules: SourceRules
) -> bool:
    """Note the place a page leads to; tell whether it was left by the step before the last.

    ``page`` is its place among the session's pages, -1 where it found no room there. Forgets the
    places that no pattern can reach back to: all but the last two once they are older than a loop
    takes, and those before the newest eight.
    """
    steps = s.steps
    n = len(steps)
    number = 0
    if n:
        last = steps[-1]
        if (last.path or s.pages[last.page].path) == path:
            return False
        number = last.number + 1
        if n > 2:  # noqa: PLR2004 - a pattern needs the last two places, whatever their age
            _forget(steps, n, offset_ms, rules)
    steps.append(Step(number, page, offset_ms, event_id, path if page < 0 else ""))
    return n > 1 and _path(s, steps[-3]) == path


def _path(s: Session, step: Step) -> str:
    return step.path or s.pages[step.page].path


def _forget(steps: list[Step], n: int, offset_ms: int, rules: SourceRules) -> None:
    limits = rules.policy.friction
    oldest = offset_ms - limits.loop_window_ms
    if n < 2 * limits.loop_visits and steps[0].offset_ms >= oldest:
        return
    gone = max(0, n + 1 - 2 * limits.loop_visits)
    while gone < n - 2 and steps[gone].offset_ms < oldest:
        gone += 1
    del steps[:gone]


def u_turn(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a page left for another and come back to within 5 s of reaching the other.

    Returns the event of the first look at the page; the second may begin the next pattern.
    """
    s = v.session
    if s is None or len(s.steps) < 3 or not _arrived(s, event):  # noqa: PLR2004 - there, away, back
        return ""
    there, away, back = s.steps[-3:]
    if there.number < s.turned:
        return ""
    if (
        _path(s, there) != _path(s, back)
        or back.offset_ms - away.offset_ms > rules.policy.friction.u_turn_ms
    ):
        return ""
    s.turned = back.number
    return there.event_id


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
    paths = [_path(s, step) for step in lap]
    if paths[2:] != paths[:-2]:
        return ""
    s.looped = lap[-1].number + 1
    return lap[0].event_id


def _arrived(s: Session, event: Event) -> bool:
    """Tell whether this event led to the newest place, rather than reloaded it or had no path."""
    return bool(s.steps) and s.steps[-1].event_id == event.event_id
