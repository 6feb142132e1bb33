"""Which site sends which kind of visitor: facts about well-known hosts, gathered for Waymark.

No list on PyPI is alive: ``referer-parser``, the one there is, had its last release in June 2016.
So this list is our own, copied from no other; where to check or extend each group:

- the kinds: Google Analytics Help, *Default channel group*, which tells what counts as search,
  social, video and shopping;
- search, social, video, shopping, mail: the services' own sites, and the hosts that links leave
  them through (``l.facebook.com``, ``out.reddit.com``, ``t.co``, ``deref-gmx.net``);
- names such as ``com.pinterest``: ids of Android apps as Google Play shows them, which Android
  sends as ``android-app://ID`` (its documentation of ``Intent.EXTRA_REFERRER_NAME``);
- assistants: the addresses under which their makers offer them;
- payment: the hosts that the providers' integration guides send a shopper to.

An entry is a host, or a host's first label followed by a dot where a site has one host a country
(``google.``). A host counts for everything below it. Add what your shop's
``/v1/metrics/sessions?group_by=channel`` counts as ``referral`` and should not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.event import Channel

SEARCH = """
google. bing.com duckduckgo.com yahoo.com search.yahoo.co.jp yahoo.co.jp ecosia.org qwant.com
startpage.com search.brave.com yandex. ya.ru baidu.com m.baidu.com sogou.com so.com sm.cn
naver.com search.naver.com daum.net seznam.cz presearch.com mojeek.com swisscows.com kagi.com
ask.com aol.com lycos.com dogpile.com excite.com metager.org metager.de search.mail.ru go.mail.ru
rambler.ru haosou.com coccoc.com petalsearch.com you.com onet.pl wp.pl t-online.de web.de
suche.gmx.net lite.duckduckgo.com com.google.android.googlequicksearchbox
"""

SOCIAL = """
facebook.com fb.com fb.me m.facebook.com l.facebook.com lm.facebook.com messenger.com instagram.com
l.instagram.com threads.net threads.com twitter.com t.co x.com linkedin.com lnkd.in pinterest.
pin.it reddit.com redd.it out.reddit.com tiktok.com snapchat.com tumblr.com quora.com vk.com vk.ru
ok.ru weibo.com weibo.cn wechat.com weixin.qq.com xiaohongshu.com douban.com zhihu.com line.me
telegram.org t.me web.telegram.org whatsapp.com wa.me discord.com discordapp.com mastodon.social
bsky.app nextdoor.com medium.com substack.com xing.com flickr.com vero.co mixi.jp
news.ycombinator.com producthunt.com stackoverflow.com kakao.com story.kakao.com
com.facebook.katana com.instagram.android com.linkedin.android com.pinterest com.reddit.frontpage
com.twitter.android org.telegram.messenger
"""

VIDEO = """
youtube.com youtu.be m.youtube.com vimeo.com dailymotion.com twitch.tv bilibili.com youku.com
rutube.ru nicovideo.jp rumble.com com.google.android.youtube
"""

MAIL = """
mail.google.com outlook.live.com outlook.office.com outlook.office365.com outlook.com
mail.yahoo.com mail.aol.com mail.proton.me mail.protonmail.com fastmail.com app.fastmail.com
mail.zoho.com mail.yandex.ru mail.yandex.com e.mail.ru mail.ru icloud.com webmail.gandi.net
mail.gmx.net gmx.net navigator.web.de mail.163.com mail.126.com mail.qq.com mail.naver.com
deref-gmx.net deref-web.de deref-mail.com com.google.android.gm link.klaviyo.com list-manage.com
campaign-archive.com
"""

SHOPPING = """
amazon. ebay. etsy.com aliexpress.com alibaba.com walmart.com target.com bestbuy.com
shopping.google.com shop.app idealo. pricerunner. kelkoo. shopzilla.com pricegrabber.com geizhals.
billiger.de guenstiger.de check24.de heureka.cz heureka.sk ceneo.pl allegro.pl bol.com cdiscount.com
fnac.com zalando. otto.de rakuten.co.jp rakuten.com kakaku.com coupang.com gmarket.co.kr shopee.
lazada. tokopedia.com flipkart.com mercadolibre. mercadolivre.com.br taobao.com tmall.com jd.com
wildberries.ru ozon.ru market.yandex.ru trovaprezzi.it twenga. slickdeals.net mydealz.de
pepper.com honey.com joinhoney.com
"""

ASSISTANT = """
chatgpt.com chat.openai.com openai.com perplexity.ai claude.ai gemini.google.com bard.google.com
copilot.microsoft.com copilot.com m365.cloud.microsoft poe.com meta.ai grok.com x.ai
chat.deepseek.com deepseek.com chat.mistral.ai mistral.ai phind.com pi.ai huggingface.co
doubao.com kimi.moonshot.cn kimi.com tongyi.aliyun.com yiyan.baidu.com chat.qwen.ai
character.ai writesonic.com
"""

PAYMENT = """
paypal.com paypalobjects.com checkout.stripe.com hooks.stripe.com pay.google.com applepay.apple.com
klarna.com pay.klarna.com payments.klarna.com afterpay.com clearpay.co.uk affirm.com adyen.com
checkoutshopper-live.adyen.com mollie.com checkout.com braintreegateway.com squareup.com
secure.worldpay.com payu.com secure.payu.com sofort.com giropay.de ideal.nl pay.amazon.com
alipay.com cashier.alipay.com wx.tenpay.com razorpay.com api.razorpay.com
3dsecure.io cardinalcommerce.com centinelapi.cardinalcommerce.com arcot.com
"""
"""Where shoppers come back from while they pay: no touchpoint, the visit goes on."""

KINDS: dict[Channel, str] = {
    "organic_search": SEARCH,
    "organic_social": SOCIAL,
    "organic_video": VIDEO,
    "email": MAIL,
    "organic_shopping": SHOPPING,
    "ai_assistant": ASSISTANT,
    "internal": PAYMENT,
}


def by_host() -> dict[str, Channel]:
    """Return host (or first label with its dot) to channel; the more special host wins a look-up.

    A host in two lists belongs to the later one.
    """
    return {host: channel for channel, hosts in KINDS.items() for host in hosts.split()}
