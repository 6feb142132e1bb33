"""The simulated shop's goods, and what its pages and visitors are called. Pure data."""

from msgspec import Struct

SITE = "https://demo.shop.example"
CURRENCY = "EUR"


class Good(Struct, frozen=True):
    """One product: its slug, name, category and price in cents."""

    slug: str
    name: str
    category: str
    cents: int

    def line(self, quantity: int = 1) -> dict[str, object]:
        """Return it as a cart line in the ingest API's input form."""
        return {
            "product_id": self.slug,
            "name": self.name,
            "category": self.category,
            "price": f"{self.cents // 100}.{self.cents % 100:02d}",
            "quantity": quantity,
            "url": f"{SITE}/product/{self.slug}",
        }


GOODS = (
    Good("trail-runner", "Trail runner", "shoes", 8_990),
    Good("city-sneaker", "City sneaker", "shoes", 6_450),
    Good("rain-boot", "Rain boot", "shoes", 5_200),
    Good("day-pack", "Day pack 20 l", "bags", 7_495),
    Good("sac-a-dos", "Sac à dos été", "bags", 5_999),
    Good("tote", "Canvas tote", "bags", 1_950),
    Good("desk-lamp", "Desk lamp", "home", 3_490),
    Good("qahwa-set", "طقم قهوة", "home", 4_100),
    Good("wool-throw", "Wool throw", "home", 5_800),
    Good("field-guide", "Field guide to birds", "books", 2_400),
    Good("yama-no-hon", "山の本", "books", 1_875),
)

ENTRANCES: tuple[tuple[int, dict[str, object]], ...] = (
    (30, {"url": f"{SITE}/"}),
    (22, {"url": f"{SITE}/", "referrer": "https://www.google.com/"}),
    (14, {"url": f"{SITE}/?gclid=demo-click", "referrer": "https://www.google.com/"}),
    (12, {"url": f"{SITE}/?utm_source=newsletter&utm_medium=email&utm_campaign=autumn"}),
    (12, {"url": f"{SITE}/?fbclid=demo-click", "referrer": "https://www.instagram.com/"}),
    (10, {"url": f"{SITE}/?utm_source=partner&utm_medium=affiliate&utm_campaign=guide"}),
)
"""Weight and landing of each way in: direct, search, paid search, e-mail, social, partner."""

AGENTS: tuple[tuple[int, str], ...] = (
    (
        50,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
        ),
    ),
    (
        30,
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/141.0.0.0 Safari/537.36"
        ),
    ),
    (
        20,
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/141.0.0.0 Mobile Safari/537.36"
        ),
    ),
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

REASONS = (
    "Shipping costs more than I thought",
    "I was only comparing prices",
    "My coupon did not work",
    "I did not want to make an account",
)
