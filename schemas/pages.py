"""Which kind of page a path is, by patterns: sensible for common shops, settable for any."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.event import PageKind

DEFAULT_PATHS: dict[PageKind, tuple[str, ...]] = {
    "confirmation": (
        "*/order-received*",
        "*/order-confirmation*",
        "*/order-confirmed*",
        "*/orderconfirmation*",
        "*/thank-you*",
        "*/thank_you*",
        "*/thankyou*",
        "*/onepage/success*",
        "*/checkout/success*",
        "*/checkout/complete*",
        "*/checkout/confirmation*",
        "*/danke",
        "*/merci",
        "*/gracias",
        "*/bestellbestaetigung*",
    ),
    "checkout": (
        "*/checkout",
        "*/checkout/*",
        "*/checkouts/*",
        "*/onepage*",
        "*/kasse*",
        "*/caisse*",
        "*/commande",
        "*/commande/*",
        "*/finalizar-compra*",
        "*/afrekenen*",
        "*/payment",
        "*/payment/*",
        "*/shipping-address*",
    ),
    "cart": (
        "*/cart",
        "*/cart/*",
        "*/basket",
        "*/basket/*",
        "*/bag",
        "*/shopping-bag*",
        "*/shopping-cart*",
        "*/warenkorb*",
        "*/panier*",
        "*/carrito*",
        "*/carrello*",
        "*/winkelwagen*",
        "*/koszyk*",
        "*/sepet*",
    ),
    "account": (
        "*/account",
        "*/account/*",
        "*/my-account*",
        "*/myaccount*",
        "*/customer/*",
        "*/login*",
        "*/log-in*",
        "*/signin*",
        "*/sign-in*",
        "*/register*",
        "*/signup*",
        "*/sign-up*",
        "*/password*",
        "*/wishlist*",
        "*/orders",
        "*/orders/*",
        "*/konto*",
        "*/mon-compte*",
    ),
    "support": (
        "*/support",
        "*/support/*",
        "*/help",
        "*/help/*",
        "*/faq*",
        "*/contact",
        "*/contact/*",
        "*/contact-us*",
        "*/kontakt*",
        "*/returns*",
        "*/shipping-policy*",
        "*/refund-policy*",
        "*/customer-service*",
        "*/hilfe*",
    ),
    "product": (
        "*/product/*",
        "*/products/*",
        "*/p/*",
        "*/dp/*",
        "*/item/*",
        "*/items/*",
        "*/itm/*",
        "*/produkt/*",
        "*/produkte/*",
        "*/produit/*",
        "*/produits/*",
        "*/producto/*",
        "*/productos/*",
        "*/prodotto/*",
    ),
    "category": (
        "*/category/*",
        "*/categories/*",
        "*/categories",
        "*/product-category/*",
        "*/collection/*",
        "*/collections/*",
        "*/collections",
        "*/products",
        "*/c/*",
        "*/shop",
        "*/shop/*",
        "*/search*",
        "*/catalog/*",
        "*/catalogsearch/*",
        "*/catalogue/*",
        "*/brand/*",
        "*/brands/*",
        "*/kategorie/*",
        "*/categorie/*",
        "*/categoria/*",
        "*/sale",
        "*/sale/*",
        "*/new-arrivals*",
        "*/deals*",
    ),
    "home": ("/", "/index.html", "/index.php", "/home", "/[a-z][a-z]", "/[a-z][a-z]/"),
}
"""Kind to patterns, asked in this order: a product under ``/collections/x/products/y`` is one."""


def classify(path: str, own: Mapping[str, Iterable[str]]) -> PageKind:
    """Return a path's page kind; the shop's own patterns are asked before the defaults."""
    plain = path.rstrip("/").lower() or "/"
    for kind, patterns in own.items():
        if _matcher(tuple(patterns)).fullmatch(plain) or _matcher(tuple(patterns)).fullmatch(path):
            return kind  # type: ignore[return-value]  # the policy's reader admits page kinds only
    for name, defaults in DEFAULT_PATHS.items():
        if _matcher(defaults).fullmatch(plain):
            return name
    return "other"


@cache
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_translated, patterns)) or r"(?!)", re.DOTALL)


def _translated(pattern: str) -> str:
    """Return a glob as an expression: ``*`` any run, ``?`` one character, ``[…]`` one of."""
    pieces = re.split(r"(\*|\?|\[[^\]]+\])", pattern)
    special = {"*": ".*", "?": "."}
    return "".join(special.get(p, p if p.startswith("[") else re.escape(p)) for p in pieces if p)
