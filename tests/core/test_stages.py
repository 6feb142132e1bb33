"""The stage table, what wins over it, and what a past buyer changes."""

import pytest

from schemas.rows import STAGES
from services.sessionizer.core.policy import PathStage, Policy, SourceRules
from services.sessionizer.core.stages import diagram
from tests.core.shopper import DAY, HOUR, Shopper

STAGE_OF = {
    "discovery": ["search", "product_list_view"],
    "interest": ["product_view", "product_share", "wishlist_add"],
    "intent": [
        *("cart_add", "cart_remove", "cart_view", "cart_update", "checkout_start"),
        *("checkout_step", "payment_info", "payment_failed", "coupon"),
    ],
    "purchase": ["purchase"],
    "": ["click", "dead_click", "scroll", "form_interaction", "stock_out", "login", "signup"],
}
STAGE_OF_PAGE = {
    "home": "discovery",
    "category": "discovery",
    "other": "discovery",
    "product": "interest",
    "cart": "intent",
    "checkout": "intent",
    "confirmation": "",
    "account": "",
    "support": "",
}


@pytest.mark.parametrize(
    ("stage", "kind"), [(s, k) for s, kinds in STAGE_OF.items() for k in kinds]
)
def test_a_type_leads_to_its_stage(stage: str, kind: str) -> None:
    row = Shopper()(kind, 0).look().sessions[-1]
    assert (row.current_stage, row.furthest_stage) == (stage, stage)


@pytest.mark.parametrize(("kind", "stage"), STAGE_OF_PAGE.items())
@pytest.mark.parametrize("type_", ["page_view", "custom"])
def test_a_page_leads_to_the_stage_of_its_kind(type_: str, kind: str, stage: str) -> None:
    assert Shopper()(type_, 0, page_kind=kind).look().sessions[-1].current_stage == stage


def test_a_page_of_unknown_kind_is_discovery_and_a_custom_event_without_one_is_unstaged() -> None:
    assert Shopper()("page_view", 0).look().sessions[-1].current_stage == "discovery"
    assert Shopper()("custom", 0).look().sessions[-1].current_stage == ""


def test_a_path_pattern_wins_and_may_take_the_stage_away() -> None:
    patterns = [
        PathStage(pattern="/sale/secret", stage=None),
        PathStage(pattern="/sale/*", stage="intent"),
        PathStage(pattern="/a.b", stage="interest"),
    ]
    rules = SourceRules(policy=Policy(stage_of_path=patterns))

    def stage(kind: str, path: str) -> str:
        return Shopper(rules)(kind, 0, path=path).look().sessions[-1].current_stage

    assert stage("page_view", "/sale/shoes/red") == "intent"
    assert stage("product_view", "/sale/shoes") == "intent"
    assert stage("page_view", "/sale/secret") == ""
    assert stage("page_view", "/sale") == "discovery"
    assert stage("page_view", "/axb") == "discovery"
    assert stage("cart_view", "/sale/secret") == "intent"


def test_current_goes_back_while_furthest_stays() -> None:
    shopper = Shopper()("cart_add", 0)("page_view", 5, page_kind="home").look()
    row = shopper.sessions[-1]
    assert (row.current_stage, row.furthest_stage) == ("discovery", "intent")
    assert row.reached == ["intent", "discovery"]


def test_each_stage_is_entered_once_a_session_and_skipped_ones_are_not_implied() -> None:
    shopper = Shopper()("product_view", 0)("cart_add", 1)("product_view", 2)("cart_view", 3)
    assert [row.stage for row in shopper.signals] == ["interest", "intent"]


@pytest.mark.parametrize("kind", ["review", "survey_response"])
def test_engagement_is_only_a_past_buyers(kind: str) -> None:
    stranger = Shopper()(kind, 0).look().sessions[-1]
    buyer = Shopper()("purchase", 0).wait(HOUR)(kind, 2 * HOUR).look().sessions[-1]
    assert (stranger.current_stage, stranger.post_purchase) == ("", False)
    assert (buyer.current_stage, buyer.post_purchase, buyer.reached) == (
        *("engagement", True),
        ["engagement"],
    )


def test_a_past_buyers_visit_keeps_its_stages_and_enters_engagement_once() -> None:
    shopper = Shopper()("purchase", 0).wait(HOUR)
    shopper("page_view", DAY, page_kind="home")("product_view", DAY + 5).look()
    row = shopper.sessions[-1]
    assert row.post_purchase
    assert row.past_buyer
    assert (row.current_stage, row.furthest_stage) == ("interest", "interest")
    assert [s.stage for s in shopper.signals if s.at_ms > row.started_ms - 1] == [
        *("discovery", "engagement", "interest"),
    ]


def test_the_visit_of_the_purchase_is_post_purchase_only_after_an_engagement_event() -> None:
    shopper = Shopper()("purchase", 0)("page_view", 5, page_kind="confirmation").look()
    shopper("survey_response", 9).look()
    assert [row.post_purchase for row in shopper.sessions] == [False, True]
    assert shopper.sessions[-1].furthest_stage == "purchase"


def test_a_buyer_is_a_past_buyer_for_365_days_the_last_millisecond_included() -> None:
    inside = Shopper()("purchase", 0).wait(HOUR)("page_view", 365 * DAY).look()
    outside = Shopper()("purchase", 0).wait(HOUR)("page_view", 365 * DAY + 0.001).look()
    assert inside.sessions[-1].past_buyer
    assert not outside.sessions[-1].past_buyer


def test_a_passive_event_raises_the_stage_of_the_open_session_only() -> None:
    shopper = Shopper()("scroll", 0)("purchase", 5, origin="server").look()
    assert shopper.sessions[-1].current_stage == "purchase"
    outside = Shopper()("purchase", 0, origin="server")
    assert outside.signals == []


def test_the_diagram_names_every_stage_with_its_label_and_everything_that_leads_there() -> None:
    policy = Policy(labels={"intent": "Ready to buy"}, stage_of_path=[PathStage("/x/*", "intent")])
    drawn = diagram(policy)
    assert all(f"  {stage}[" in drawn for stage in STAGES)
    assert all(kind in drawn for kind in policy.stage_of_type)
    assert 'intent["Ready to buy"]' in drawn
    assert "path /x/*" in drawn
