"""Cart and order rows, and the signals of carts (ADR 2, D, E and H)."""

from typing import Any

from schemas import ids
from schemas.rows import CartRow, OrderRow, SignalRow
from services.sessionizer.core.policy import SourceRules
from tests.oracle import carts, timeline
from tests.oracle.carts import Episode
from tests.oracle.timeline import Item, Moment
from tests.oracle.visit_rows import VisitRows


class CartRows(VisitRows):
    """Says what is to be said of a visitor's carts and orders."""

    def cart(self, episode: Episode) -> CartRow:
        moment, left = episode.ended, episode.abandoned
        ended_ms = episode.ended[0]
        outcome: Any = episode.how or ("abandoned" if left else "open")
        return CartRow(
            **self.cart_facts(episode, moment),
            cart_id=episode.id,
            session_id=episode.visit(moment)[1].id,
            opened_ms=episode.opening.ts,
            last_activity_ms=episode.last_activity_ms,
            client_cart_id=episode.newest("cart_id", moment),
            cart_url=episode.newest("cart_url", moment),
            bucket_ms=episode.bucket_ms,
            lines=list(episode.lines.values()),
            value=episode.now.value,
            currency=episode.currency,
            outcome=outcome,
            checkout_started=episode.checkout_from is not None,
            checkout_step=episode.steps[-1] if episode.steps else "",
            checkout_steps=episode.steps,
            abandoned_ms=left[0] if left else None,
            abandoned_value=episode.abandoned_value,
            reopened_ms=episode.reopened_ms,
            recovered_ms=ended_ms if episode.how == "recovered" else None,
            lost_ms=ended_ms if episode.how == "lost" else None,
            emptied_ms=ended_ms if episode.how == "emptied" else None,
            converted_ms=ended_ms if episode.how in ("recovered", "converted") else None,
            order_id=episode.order.order if episode.order else "",
            marketing_consent=self.consent(moment),
            friction=self.met_by(episode),
            causes=self.met_by(episode, left) if left else [],
            stated_reason=self.said_by(episode, moment),
        )

    def consent(self, moment: Moment) -> Any:
        return self.line.newest("consent", moment)

    def of_episode(self, episode: Episode) -> list[SignalRow]:
        made = []
        if episode.checkout_abandoned:
            made.append(self.of_cart("checkout_abandoned", episode, episode.checkout_abandoned))
        if episode.cart_abandoned:
            made.append(self.of_cart("cart_abandoned", episode, episode.cart_abandoned))
        if episode.how in ("lost", "emptied", "recovered"):
            made.append(self.of_cart(f"cart_{episode.how}", episode, episode.ended))
        if episode.order:
            made.append(self.of_cart("converted", episode, episode.ended))
        return made

    def of_cart(self, kind: str, episode: Episode, moment: Moment) -> SignalRow:
        as_it_stood = episode.at(moment)
        bought = kind in ("converted", "cart_recovered")
        worth = order_worth(episode.order, self.line.rules) if bought and episode.order else None
        value, currency = worth or (as_it_stood.value, as_it_stood.currency)
        lines = as_it_stood.lines
        if bought and episode.order and not lines:
            lines = episode.order.event.products or []
        left = episode.abandoned
        details = {}
        if bought and episode.order:
            details = {"order_id": episode.order.order}
        elif kind == "checkout_abandoned" and as_it_stood.steps:
            details = {"checkout_step": as_it_stood.steps[-1]}
        return SignalRow(
            **self.cart_facts(episode, moment),
            signal_id=ids.signal_id(
                kind, episode.id, details["order_id"] if kind == "converted" else ""
            ),
            kind=kind,  # type: ignore[arg-type]  # a kind named in this file
            at_ms=moment[0],
            emitted_ms=0,
            session_id=episode.visit(moment)[1].id,
            cart_id=episode.id,
            stage="purchase" if bought else "intent",
            value=value,
            currency=currency,
            cart_url=episode.newest("cart_url", moment),
            lines=lines,
            marketing_consent=self.consent(moment),
            causes=self.met_by(episode, left) if left and left <= moment else [],
            stated_reason=self.said_by(episode, moment),
            details=details,
        )

    def resolved_by(self, item: Item) -> Episode | None:
        return next((e for e in self.episodes if e.order is item), None)

    def order(self, item: Item) -> OrderRow:
        event, moment = item.event, item.moment
        visit, episode = self.line.visit_of(item), self.resolved_by(item)
        if visit:
            dims = visit.dims(moment)
        elif episode:
            touched, where = episode.visit(moment)
            dims = where.dims(touched.moment)
        else:
            names = ("device", "browser", "os", "country", "variants", "bot", "test", "excluded")
            of_event: dict[str, Any] = {n: getattr(event, n) for n in (*names, "lasting")}
            first = self.line.first_channel(moment)
            dims = of_event | timeline.came_by(event) | {"first_channel": first}
        who = self.who(moment)
        who["user_id"] = event.user_id or who["user_id"]
        kind: Any = "order" if event.type == "purchase" else event.type
        value, currency = event.value, event.currency or self.line.rules.currency
        if kind == "order" and value is None:
            value = carts.lines_sum(event.products or [])
        return OrderRow(
            **who,
            **dims,
            past_buyer=self.line.past_buyer(item),
            order_id=item.order,
            event_id=event.event_id,
            at_ms=item.ts,
            kind=kind,
            named=item.named,
            session_id=visit.id if visit else "",
            cart_id=episode.id if episode else "",
            value=value,
            shipping=event.shipping,
            tax=event.tax,
            discount=event.discount,
            currency=currency,
            lines=event.products or [],
            payment_method=event.payment_method,
            provisional=event.provisional,
        )

    def of_bare_order(self, item: Item) -> list[SignalRow]:
        """Return ``converted`` of the session, where no episode was resolved (E2)."""
        visit = self.line.visit_of(item)
        first = item.at in self.line.first_purchases
        if not first or visit is None or self.resolved_by(item):
            return []
        value, currency = order_worth(item, self.line.rules) or (None, "")
        lines = item.event.products or []
        return [
            self.of_session(
                "converted",
                visit,
                item.moment,
                "purchase",
                item.order,
                value=value,
                currency=currency,
                lines=lines,
                details={"order_id": item.order},
            )
        ]


def order_worth(item: Item, rules: SourceRules) -> tuple[int, str] | None:
    """Return an order's value and currency, where it has a value (E3)."""
    event = item.event
    value = event.value if event.value is not None else carts.lines_sum(event.products or [])
    return None if value is None else (value, event.currency or rules.currency)
