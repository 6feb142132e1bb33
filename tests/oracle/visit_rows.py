"""Session rows and the signals of sessions (ADR 2, C and H)."""

from typing import Any

from schemas import ids
from schemas.rows import PageVisit, SessionRow, SignalRow
from tests.oracle import carts, friction
from tests.oracle.carts import Episode
from tests.oracle.facts import Facts
from tests.oracle.timeline import FOREVER, PAGE_LIKE, Item, Moment, Visit

KEY_EVENTS = ("purchase", "signup", "checkout_start", "survey_response")


class VisitRows(Facts):
    """Says what is to be said of a visitor's visits."""

    def page_views(self, visit: Visit) -> int:
        types = [item.event.type for item in visit.items]
        return types.count("page_view") or sum(kind in PAGE_LIKE for kind in types)

    def pages(self, visit: Visit) -> list[PageVisit]:
        listed = friction.pages_of(visit)
        ends = [item.ts for item in listed[1:]]
        times = [end - item.ts for end, item in zip(ends, listed, strict=False)]
        pages = []
        for item, time_ms in zip(listed, [*times, self.last_time(visit, listed)], strict=False):
            event = item.event
            kind = event.page_kind or PAGE_LIKE.get(event.type, "other")
            category = event.products[0].category if event.products else ""
            pages.append(PageVisit(event.path, kind, category, item.ts, time_ms))
        return pages

    def last_time(self, visit: Visit, listed: list[Item]) -> int | None:
        if not listed:
            return None
        last = listed[-1]
        leaves = [i.event for i in visit.acting() if i.at > last.at and is_leave(i)]
        engaged = [e.engaged_ms for e in leaves if e.path in ("", last.event.path)]
        return sum(e for e in engaged if e is not None) if engaged else None

    def engaged(self, visit: Visit) -> bool:
        rules = self.line.policy.session
        acting = visit.acting()
        engaged_ms = sum(i.event.engaged_ms or 0 for i in acting if is_leave(i))
        key = any(i.active and i.event.type in KEY_EVENTS for i in acting)
        long = visit.active[-1].ts - visit.active[0].ts > rules.engaged_ms
        many = self.page_views(visit) >= rules.engaged_page_views
        return long or many or key or engaged_ms > rules.engaged_ms

    def bounced(self, visit: Visit) -> bool | None:
        if visit.closed_ms is None or not self.page_views(visit):
            return None
        if self.line.policy.session.bounce == "single_page":
            return self.page_views(visit) == 1
        return not self.engaged(visit)

    def browsed_off(self, visit: Visit) -> bool:
        """Left after viewing a product, without a cart or an order (C7)."""
        events = [item.event for item in visit.acting()]
        viewed = any(
            e.type == "product_view" or (e.type == "page_view" and e.page_kind == "product")
            for e in events
        )
        bought = any(e.type == "purchase" for e in events)
        untouched = self.last_touched(visit, FOREVER) is None
        return visit.closed_ms is not None and viewed and not bought and untouched

    def causes(self, visit: Visit) -> list[str]:
        left = self.last_touched(visit, FOREVER)
        gone = left and left.abandoned and left.abandoned < visit.end < left.ended
        if visit.closed_ms is None or not (self.bounced(visit) or self.browsed_off(visit) or gone):
            return []
        return self.kinds(self.met_in(visit))

    def session(self, visit: Visit) -> SessionRow:
        moment = visit.end
        active, closed = visit.active, visit.closed_ms is not None
        views, pages = self.page_views(visit), self.pages(visit)
        touched = self.last_touched(visit, FOREVER)
        came = next((i.event for i in visit.acting() if i.active and i.event.channel), None)
        checkouts = [
            (item.moment, episode)
            for episode in self.episodes
            for item, where in episode.touched
            if where is visit and item.active and item.event.type in carts.STARTS_CHECKOUT
        ]
        reached = [stage for stage, _ in self.touched(visit)]
        return SessionRow(
            **self.visit_facts(visit, moment),
            session_id=visit.id,
            started_ms=active[0].ts,
            ended_ms=active[-1].ts,
            closed_ms=visit.closed_ms,
            duration_ms=active[-1].ts - active[0].ts if closed else None,
            open=not closed,
            page_views=views,
            interactions=len(active) - views,
            events=len(visit.items),
            entry_path=pages[0].path if pages else "",
            exit_path=pages[-1].path if pages else "",
            referrer=came.referrer if came else "",
            current_stage=self.current(visit, FOREVER),
            furthest_stage=self.furthest(visit),
            reached=reached,
            post_purchase="engagement" in reached,
            engaged=self.engaged(visit) if closed else None,
            bounced=self.bounced(visit),
            cart_id=touched.id if touched else "",
            checkout_started=bool(checkouts),
            checkout_step=furthest_step(checkouts),
            friction=self.kinds(self.met_in(visit)),
            causes=self.causes(visit),
            stated_reason=self.said(visit.acting()),
            pages=pages[: self.line.policy.session.max_pages],
            truncated=len(pages) > self.line.policy.session.max_pages,
        )

    def of_visit(self, visit: Visit) -> list[SignalRow]:
        made = [
            self.of_session("stage_entered", visit, item.moment, stage, stage)
            for stage, item in self.touched(visit)
        ]
        for found in self.met_in(visit):
            moment, event = found.last.moment, found.last.event
            told = {"path": event.path, "element": event.element}
            made.append(
                self.of_session(
                    found.kind,
                    visit,
                    moment,
                    self.current(visit, moment),
                    found.first.event.event_id,
                    details={name: value for name, value in told.items() if value},
                )
            )
        left = {"bounce": self.bounced(visit), "browse_abandoned": self.browsed_off(visit)}
        why = {"causes": self.causes(visit), "stated_reason": self.said(visit.acting())}
        end, stage = visit.end, self.furthest(visit)
        kinds = (kind for kind, so in left.items() if so)
        return made + [self.of_session(kind, visit, end, stage, "", **why) for kind in kinds]

    def of_session(
        self, kind: str, visit: Visit, moment: Moment, stage: str, what: str, **more: Any
    ) -> SignalRow:
        touched = self.last_touched(visit, moment)
        fields: dict[str, Any] = {
            **self.visit_facts(visit, moment),
            "signal_id": ids.signal_id(kind, visit.id, what),
            "kind": kind,
            "at_ms": moment[0],
            "emitted_ms": 0,
            "session_id": visit.id,
            "cart_id": touched.id if touched else "",
            "stage": stage,
            "marketing_consent": self.line.newest("consent", moment),
        }
        return SignalRow(**(fields | more))


def is_leave(item: Item) -> bool:
    return item.event.type == "page_leave" and item.event.engaged_ms is not None


def furthest_step(checkouts: list[tuple[Moment, Episode]]) -> str:
    """Return the episode's furthest step as the session's last checkout event left it (D8)."""
    if not checkouts:
        return ""
    moment, episode = max(checkouts, key=lambda checkout: checkout[0])
    steps = episode.at(moment).steps
    return steps[-1] if steps else ""
