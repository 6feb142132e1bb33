"""Stages: the one table from what happened to where the shopper stands, and its diagram.

A stage is kept as its place in ``STAGES``. DESIGN, *Words: stage* and *Event: Stage rules*; what
those leave open is settled in docs/adr/0002, B.
"""

import re
from functools import lru_cache
from itertools import pairwise

from schemas.event import Event
from schemas.rows import STAGES
from services.sessionizer.core.policy import PathStage, Policy

PLACE: dict[str | None, int] = {stage: place for place, stage in enumerate(STAGES)} | {None: -1}
UNSTAGED = -1
PURCHASE = PLACE["purchase"]
ENGAGEMENT = PLACE["engagement"]
BY_PATH = frozenset({"page_view", "product_view", "product_list_view", "custom"})


def stage_of(event: Event, policy: Policy) -> int:
    """Return the stage an event belongs to, as a place in ``STAGES``, -1 for none.

    A page-path pattern of the policy wins for page views, product views, product lists and custom
    events. Else a page view or custom event takes the stage of its page kind (a page view without
    one is ``other``), and everything else the stage of its type. Whether an engagement stage
    counts is up to the visitor: only a past buyer's does (docs/adr/0002, B1 and B2).
    """
    kind = event.type
    if policy.stage_of_path and event.path and kind in BY_PATH:
        found = _by_path(tuple(policy.stage_of_path), event.path)
        if found is not None:
            return found
    if kind == "page_view":
        return PLACE[policy.stage_of_page.get(event.page_kind or "other")]
    if kind == "custom":
        return PLACE[policy.stage_of_page.get(event.page_kind or "")]
    return PLACE[policy.stage_of_type.get(kind)]


@lru_cache(maxsize=8192)
def _by_path(patterns: tuple[PathStage, ...], path: str) -> int | None:
    for rule in patterns:
        if _compiled(rule.pattern).fullmatch(path):
            return PLACE[rule.stage]
    return None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def furthest(reached: list[int]) -> str:
    """Return the highest stage of those touched; engagement ranks below discovery (B5)."""
    if not reached:
        return ""
    best = max(reached)
    if best == ENGAGEMENT:
        best = max([place for place in reached if place != ENGAGEMENT], default=ENGAGEMENT)
    return STAGES[best]


def stage_name(place: int) -> str:
    """Return the stage's name, ``""`` for none."""
    return STAGES[place] if place >= 0 else ""


def diagram(policy: Policy) -> str:
    """Return the stage table of a policy as a Mermaid flowchart: what leads to which stage."""
    lines = ["flowchart LR"]
    for stage in STAGES:
        label = policy.labels.get(stage, stage.capitalize())
        lines.append(f'  {stage}["{label}"]')
    lines += [f"  {a} --> {b}" for a, b in pairwise(STAGES[:-1])]
    lines.append(f"  {STAGES[PURCHASE]} -. past buyers .-> {STAGES[ENGAGEMENT]}")
    for stage in STAGES:
        leading = [kind for kind, to in policy.stage_of_type.items() if to == stage]
        leading += [
            f"page_view on {kind}" for kind, to in policy.stage_of_page.items() if to == stage
        ]
        leading += [f"path {rule.pattern}" for rule in policy.stage_of_path if rule.stage == stage]
        if leading:
            lines.append(f'  {stage}_by["{"<br/>".join(leading)}"] -.- {stage}')
    return "\n".join(lines) + "\n"
