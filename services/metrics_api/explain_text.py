"""An explanation in plain words: what happened, by which rule, and when it was certain."""

from typing import Any

from schemas.money import to_text
from services.common.times import rfc3339
from services.metrics_api.explain_rules import Rule, shown
from services.sessionizer.core.policy import Policy

Row = dict[str, Any]


def told(kind: str, row: Row, rule: Rule, policy: Policy) -> str:
    """Return two to four sentences: the facts of the row, the rule, the clock."""
    facts = {"session": _visit, "cart": _cart, "signal": _signal}[kind]
    parts = [facts(row), rule.text(policy), _clock(kind, row, policy), _version(row, policy)]
    return " ".join(part for part in parts if part)


def _visit(row: Row) -> str:
    length = shown("_ms", row["ended_ms"] - row["started_ms"])
    counted = f"{row['page_views']} page views and {row['interactions']} other actions"
    text = (
        f"Visitor {row['visitor_id']} came at {rfc3339(row['started_ms'])} and was last active at "
        f"{rfc3339(row['ended_ms'])}, {length} later, with {counted}."
    )
    if row["closed_ms"] is None:
        return text + " The visit is still open, so nothing is decided of it."
    verdict = {True: "bounced", False: "did not bounce", None: "had no page view to judge it by"}
    return f"{text} It closed at {rfc3339(row['closed_ms'])} and {verdict[row['bounced']]}."


def _cart(row: Row) -> str:
    worth = f"{to_text(row['value'], row['currency'])} {row['currency']}".strip()
    opened = f"The cart ({worth}) was opened at {rfc3339(row['opened_ms'])}"
    steps: list[tuple[str, int | None]] = [
        ("left", row["abandoned_ms"]),
        ("visited again", row["reopened_ms"]),
        ("recovered by an order", row["recovered_ms"]),
        ("emptied", row["emptied_ms"]),
        ("given up", row["lost_ms"]),
    ]
    if row["recovered_ms"] is None:
        steps.append(("bought", row["converted_ms"]))
    happened = [f"{what} at {rfc3339(at)}" for what, at in steps if at is not None]
    last = f"the visitor was last active at {rfc3339(row['last_activity_ms'])}"
    return ", ".join([opened, *happened]) + f"; {last}. It is {row['outcome']} now."


def _signal(row: Row) -> str:
    what = row["kind"].replace("_", " ")
    text = f"Visitor {row['visitor_id']}: {what} at {rfc3339(row['at_ms'])}"
    if row["stage"]:
        text += f", in the stage {row['stage']}"
    if row["causes"]:
        text += f"; met before leaving: {', '.join(row['causes'])}"
    return text + (". It was taken back by an order that came late." if row["retracted"] else ".")


def _clock(kind: str, row: Row, policy: Policy) -> str:
    if kind != "signal":
        return ""
    grace = shown("_ms", policy.time.grace_ms)
    return (
        f"It was told at {rfc3339(row['emitted_ms'])} by the log's clock, once nothing up to its "
        f"time could still be on its way (at least {grace})."
    )


def _version(row: Row, policy: Policy) -> str:
    if row["policy_version"] == policy.version:
        return ""
    return (
        f"It was made under policy version {row['policy_version']}; the thresholds shown are of "
        f"version {policy.version}, which holds now."
    )
