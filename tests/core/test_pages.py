"""Pages of a visit: which they are, and how long each was looked at."""

import pytest

from schemas.event import Product
from services.sessionizer.core.policy import Policy, Session, SourceRules
from tests.core.shopper import HOUR, SHOE, Shopper


def test_a_page_lasts_until_the_next_page_and_the_last_for_an_unknown_time() -> None:
    shopper = Shopper()("page_view", 0, path="/", page_kind="home")
    shopper("click", 4, path="/")("page_view", 9, path="/shoes", page_kind="category")
    row = shopper.wait(HOUR).sessions[-1]
    assert [(p.path, p.page_kind, p.time_ms) for p in row.pages] == [
        ("/", "home", 9_000),
        ("/shoes", "category", None),
    ]
    assert (row.entry_path, row.exit_path) == ("/", "/shoes")


def test_the_last_page_lasts_as_long_as_its_leaving_says() -> None:
    shopper = Shopper()("page_view", 0, path="/")("page_view", 9, path="/b")
    shopper("page_leave", 10, path="/", engaged_ms=100)
    shopper("page_leave", 11, path="/b", engaged_ms=2_000)("page_leave", 12, engaged_ms=500)
    shopper("page_leave", 13, path="/b")
    assert shopper.wait(HOUR).sessions[-1].pages[-1].time_ms == 2_500


def test_leaving_told_before_the_next_page_is_of_the_page_before() -> None:
    shopper = Shopper()("page_view", 0, path="/")("page_leave", 5, engaged_ms=100)
    assert shopper("page_view", 9, path="/b").wait(HOUR).sessions[-1].pages[-1].time_ms is None


def test_the_first_page_view_discards_the_product_views_before_it() -> None:
    shopper = Shopper()("product_view", 0, path="/p")("page_view", 1, path="/a")
    shopper("product_view", 2, path="/q")
    assert [page.path for page in shopper.look().sessions[-1].pages] == ["/a"]


@pytest.mark.parametrize(
    ("kind", "page_kind"),
    [("product_view", "product"), ("product_list_view", "category"), ("cart_view", "cart")],
)
def test_a_view_without_a_page_kind_has_that_of_its_type(kind: str, page_kind: str) -> None:
    assert Shopper()(kind, 0).look().sessions[-1].pages[0].page_kind == page_kind


def test_a_page_is_of_the_category_of_its_first_product() -> None:
    products = [SHOE, Product(product_id="x", category="hats")]
    page = Shopper()("product_view", 0, products=products).look().sessions[-1].pages[0]
    assert page.category == "shoes"


def test_beyond_the_limit_pages_count_and_exit_and_time_stay_known() -> None:
    rules = SourceRules(policy=Policy(session=Session(max_pages=2)))
    shopper = Shopper(rules)
    for number in range(4):
        shopper("page_view", number * 10, path=f"/{number}")
    row = shopper("page_leave", 35, path="/1", engaged_ms=9).look().sessions[-1]
    assert [(page.path, page.time_ms) for page in row.pages] == [("/0", 10_000), ("/1", 10_000)]
    assert (row.page_views, row.exit_path, row.truncated) == (4, "/3", True)


def test_no_page_no_entry_and_no_exit() -> None:
    row = Shopper()("scroll", 0).look().sessions[-1]
    assert (row.pages, row.entry_path, row.exit_path, row.truncated) == ([], "", "", False)


def test_paths_of_a_kilobyte_are_counted_but_kept_only_while_they_fit() -> None:
    shopper = Shopper()
    for number in range(100):
        shopper("page_view", number * 10, path=f"/{number}" + "ü" * 500)
    row = shopper.look().sessions[-1]
    assert (row.page_views, row.truncated, len(row.pages)) == (100, True, 6)
