"""Going to and fro between pages: ``u_turn`` and ``loop`` (DESIGN, *Friction*; G5).

The places walked are the pages of the session that have a path; a reload is no new place. They
begin anew when the first ``page_view`` discards the product views before it. ``turn_fresh`` and
``loop_fresh`` count the newest places that no former pattern has used up.
"""

from schemas.event import Event
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import Session, Step, Visitor


def walk(s: Session, event: Event, rules: SourceRules) -> bool:
    """Note the place a page leads to; tell whether it was left by the step before the last.

    Forgets the places that no pattern can reach back to: all but the last two once they are older
    than a loop takes, and those before the newest eight.
    """
    steps = s.steps
    path = event.path
    n = len(steps)
    if not path or (n and steps[-1].path == path):
        return False
    offset = event.ts_ms - s.start_ms
    if n > 2:  # noqa: PLR2004 - a pattern needs the last two places, whatever their age
        _forget(steps, offset, rules)
    steps.append(Step(path, offset, event.event_id))
    s.turn_fresh += 1
    s.loop_fresh += 1
    return n > 1 and steps[-3].path == path


def _forget(steps: list[Step], offset_ms: int, rules: SourceRules) -> None:
    limits = rules.policy.friction
    oldest = offset_ms - limits.loop_window_ms
    gone = max(0, len(steps) + 1 - 2 * limits.loop_visits)
    last = len(steps) - 2
    while gone < last and steps[gone].offset_ms < oldest:
        gone += 1
    if gone:
        del steps[:gone]


def u_turn(v: Visitor, event: Event, rules: SourceRules) -> str:
    """A page left for another and come back to within 5 s of reaching the other.

    Returns the event of the first look at the page; the second may begin the next pattern.
    """
    s = v.session
    if s is None or s.turn_fresh < 3 or not _arrived(s, event):  # noqa: PLR2004 - there, away, back
        return ""
    there, away, back = s.steps[-3:]
    if there.path != back.path or back.offset_ms - away.offset_ms > rules.policy.friction.u_turn_ms:
        return ""
    s.turn_fresh = 1
    return there.event_id


def loop(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Two pages, each visited four times or more in turn within 90 s; the next begins afterwards.

    Returns the event of the first of the eight visits.
    """
    s = v.session
    limits = rules.policy.friction
    need = 2 * limits.loop_visits
    if s is None or s.loop_fresh < need or len(s.steps) < need or not _arrived(s, event):
        return ""
    lap = s.steps[-need:]
    if lap[-1].offset_ms - lap[0].offset_ms > limits.loop_window_ms:
        return ""
    if any(a.path != b.path for a, b in zip(lap, lap[2:], strict=False)):
        return ""
    s.loop_fresh = 0
    return lap[0].event_id


def _arrived(s: Session, event: Event) -> bool:
    """Tell whether this event led to the newest place, rather than reloaded it or had no path."""
    return bool(s.steps) and s.steps[-1].event_id == event.event_id
