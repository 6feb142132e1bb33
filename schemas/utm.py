"""Campaign parameters and click ids in a landing page's query."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from schemas.masking import mask

if TYPE_CHECKING:
    from schemas.event import Channel

UTM_NAMES = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "campaign",
    "utm_term": "term",
    "utm_content": "content",
}

CLICK_IDS: dict[str, Channel] = {
    "gclid": "paid_search",
    "gbraid": "paid_search",
    "wbraid": "paid_search",
    "gad_source": "paid_search",
    "msclkid": "paid_search",
    "yclid": "paid_search",
    "dclid": "display",
    "srsltid": "organic_shopping",
    "fbclid": "organic_social",
    "igshid": "organic_social",
    "igsh": "organic_social",
    "ttclid": "paid_social",
    "twclid": "paid_social",
    "li_fat_id": "paid_social",
    "sccid": "paid_social",
    "rdt_cid": "paid_social",
    "epik": "paid_social",
    "qclid": "paid_social",
    "irclickid": "affiliate",
    "awc": "affiliate",
    "cjevent": "affiliate",
    "ransiteid": "affiliate",
    "mc_eid": "email",
    "mc_cid": "email",
    "_kx": "email",
    "_hsenc": "email",
    "vero_id": "email",
    "mkt_tok": "email",
}
"""Click ids by the channel they mean. Each vendor documents its own: Google Ads (gclid, gbraid,
wbraid, gad_source), Display & Video 360 (dclid), Merchant Center's free listings (srsltid),
Microsoft Advertising (msclkid), Yandex Direct (yclid), Meta (fbclid: on every outbound link, paid
or not), Instagram (igshid, igsh), TikTok, X, LinkedIn, Snapchat, Reddit, Pinterest, Quora ads,
Impact, Awin, CJ and Rakuten affiliates, Mailchimp, Klaviyo, HubSpot, Vero, Marketo mails."""


def read_query(query: str) -> tuple[dict[str, str], str]:
    """Return the campaign parameters of a query, masked, and the first known click id's name."""
    utm: dict[str, str] = {}
    click = ""
    try:
        pairs = parse_qsl(query, max_num_fields=500)
    except ValueError:
        return {}, ""
    for key, value in pairs:
        name = key.lower()
        if name in UTM_NAMES:
            utm.setdefault(UTM_NAMES[name], mask(value.strip()))
        elif not click and name in CLICK_IDS:
            click = name
    return utm, click
