"""Metrics of visits: who came, what they looked at, how far they got."""

from services.metrics_api.metric import Metric

_PAGES = {"path": "pages", "page_kind": "pages", "category": "pages"}

VISIT_METRICS = (
    Metric(
        name="visitors",
        unit="count",
        kind="count",
        fact="visits",
        k="visitor",
        definition="Distinct visitors who were active in the bucket, from the first to the last "
        "active event of a session (exact up to 65,536, then within one percent); a visitor "
        "without a lasting id counts anew each day.",
    ),
    Metric(
        name="sessions",
        unit="count",
        kind="count",
        k="sessions",
        fact="sessions",
        definition="Sessions that started in the bucket, open ones included.",
    ),
    Metric(
        name="page_views",
        unit="count",
        kind="count",
        k="views",
        undecided="undecided",
        variants=_PAGES,
        fact="sessions",
        definition="Page views of the sessions that started in the bucket; by path, page kind or "
        "category those of such pages.",
    ),
    Metric(
        name="events",
        unit="count",
        kind="count",
        fact="events",
        k="events",
        definition="Events of every type, at their own time. One sent again with the same id "
        "counts once, save where its time is then in another UTC month.",
    ),
    Metric(
        name="bounce_rate",
        unit="share",
        kind="rate",
        k="bounces",
        n="viewed",
        undecided="undecided",
        fact="sessions",
        definition="Bounced sessions (closed, not engaged) over closed sessions with at least one "
        "page view.",
    ),
    Metric(
        name="engaged_rate",
        unit="share",
        kind="rate",
        k="engagements",
        n="viewed",
        undecided="undecided",
        fact="sessions",
        definition="Engaged sessions over closed sessions with at least one page view.",
    ),
    Metric(
        name="session_duration_ms",
        unit="ms",
        kind="mean",
        k="duration",
        n="closed",
        undecided="undecided",
        fact="sessions",
        definition="Mean time from the first to the last active event of closed sessions.",
    ),
    Metric(
        name="pages_per_session",
        unit="pages",
        kind="mean",
        k="closed_views",
        n="closed",
        undecided="undecided",
        fact="sessions",
        definition="Mean page views of closed sessions.",
    ),
    Metric(
        name="exit_rate",
        unit="share",
        kind="rate",
        fact="pages",
        k="exits",
        n="closed_views",
        undecided="undecided",
        definition="Views of a page that were the last of their closed session, over all its "
        "views in closed sessions (the first 200 pages of a session).",
    ),
    Metric(
        name="time_on_page_ms",
        unit="ms",
        kind="mean",
        fact="pages",
        k="time_ms",
        n="timed",
        undecided="undecided",
        median="timed_ms",
        definition="Mean, and as p50 the median, time from a page of a closed session to its next "
        "page; the last page counts only where its engagement time is known.",
    ),
    Metric(
        name="stage_sessions",
        unit="count",
        kind="count",
        k="reached",
        n="before",
        undecided="undecided",
        pivot=True,
        always=("stage",),
        fact="sessions",
        definition="Sessions whose highest stage reached is the stage or a later one; engagement "
        "counts visits of past buyers, a row apart.",
    ),
    Metric(
        name="stage_conversion",
        unit="share",
        kind="rate",
        k="reached",
        n="before",
        undecided="undecided",
        pivot=True,
        always=("stage",),
        fact="sessions",
        definition="Sessions that reached the stage over those that reached the stage before it; "
        "none for discovery and engagement.",
    ),
    Metric(
        name="conversion_rate",
        unit="share",
        kind="rate",
        k="converted",
        n="sessions",
        undecided="undecided",
        fact="sessions",
        definition="Sessions with an order, provisional ones included, over all sessions that "
        "started in the bucket.",
    ),
    Metric(
        name="signals",
        unit="count",
        kind="count",
        fact="signals",
        k="signals",
        definition="Signals at their own time, retracted ones left out.",
    ),
    Metric(
        name="live_visitors",
        unit="count",
        kind="now",
        always=("stage",),
        definition="Visitors whose last active event is less than 30 minutes before the log's "
        "clock, by the stage they are in; `unstaged` where their visit has touched none yet.",
    ),
    Metric(
        name="support_contact_rate",
        unit="share",
        kind="rate",
        k="supported",
        n="closed",
        undecided="undecided",
        fact="sessions",
        definition="Closed sessions that sought support over closed sessions; by stage, of those "
        "whose furthest stage it is.",
    ),
)
