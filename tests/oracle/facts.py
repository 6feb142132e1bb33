"""What is known of a visitor's line: of whom, at which moment, in which visit or cart."""

from collections.abc import Iterable
from typing import Any

from tests.oracle import carts, friction
from tests.oracle.carts import Episode
from tests.oracle.friction import Found
from tests.oracle.timeline import FOREVER, Item, Line, Moment, Visit

HEIGHT = ["engagement", "discovery", "interest", "intent", "purchase"]


class Facts:
    """All that rows and signals of one visitor are made of."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.episodes = carts.episodes_of(line)
        line.spans = [(visit.start, visit.end) for visit in line.visits]
        line.spans += [(e.opening.moment, e.ended) for e in self.episodes]
        self.friction = friction.friction_of(line, self.episodes)

    def who(self, moment: Moment) -> dict[str, Any]:
        return {
            "source": self.line.source,
            "visitor_id": self.line.address,
            "user_id": self.line.newest("user", moment) or "",
            "policy_version": self.line.policy.version,
        }

    def visit_facts(self, visit: Visit, moment: Moment) -> dict[str, Any]:
        past = self.line.past_buyer(visit.items[0])
        return self.who(moment) | visit.dims(moment) | {"past_buyer": past}

    def cart_facts(self, episode: Episode, moment: Moment) -> dict[str, Any]:
        item, visit = episode.visit(moment)
        past = self.line.past_buyer(episode.opening)
        return self.who(moment) | visit.dims(item.moment) | {"past_buyer": past}

    def last_touched(self, visit: Visit, moment: Moment) -> Episode | None:
        """Return the episode last touched in the visit."""
        touches = [
            (item.moment, episode)
            for episode in self.episodes
            for item, where in episode.touches_by(moment)
            if where is visit
        ]
        return max(touches, key=lambda touch: touch[0])[1] if touches else None

    def kinds(self, found: Iterable[Found]) -> list[str]:
        return list(dict.fromkeys(f.kind for f in found))

    def met_in(self, visit: Visit, moment: Moment = FOREVER) -> list[Found]:
        return [f for f in self.friction if f.last in visit.items and f.last.moment <= moment]

    def met_by(self, episode: Episode, moment: Moment = FOREVER) -> list[str]:
        met = (f for f in self.friction if f.last.moment <= moment)
        return self.kinds(f for f in met if episode.open_at(f.last.moment))

    def said(self, items: Iterable[Item]) -> str:
        surveys = (i.event.survey for i in items if i.event.type == "survey_response")
        comments = [survey.comment for survey in surveys if survey and survey.comment]
        return comments[-1][:200] if comments else ""

    def said_by(self, episode: Episode, moment: Moment) -> str:
        line = self.line
        items = (i for i in line.items if i.moment <= moment and episode.open_at(i.moment))
        return self.said(item for item in items if not line.only_counts(item))

    # Stages

    def touched(self, visit: Visit, moment: Moment = FOREVER) -> list[tuple[str, Item]]:
        """Return the visit's stages by first touch, each with the event that did (B3, B4)."""
        found: dict[str, Item] = {}
        for item in visit.acting(moment):
            stage = self.line.stage(item)
            if stage:
                found.setdefault(stage, item)
            if item is visit.items[0] and self.line.past_buyer(item):
                found.setdefault("engagement", item)
        return list(found.items())

    def current(self, visit: Visit, moment: Moment) -> str:
        stages = [self.line.stage(item) for item in visit.acting(moment)]
        return next((stage for stage in reversed(stages) if stage), "")

    def furthest(self, visit: Visit) -> str:
        return max((stage for stage, _ in self.touched(visit)), key=HEIGHT.index, default="")
