"""Was it a person who loaded an image or followed a link, or a program? By documented evidence; pure.

Apple: Mail Privacy Protection loads all images through a relay which calls itself "Mozilla/5.0" and no more (Apple,
"Use Mail Privacy Protection"; as seen by Twilio SendGrid, "Apple Mail Privacy Protection and Open Events"). Google's
image proxy names itself; it also fetches ahead of its user, so what it loads within seconds of delivery is no open.
Security gateways follow every link as the mail arrives (Microsoft, "Safe Links"; Barracuda, "Link Protection").
"""

import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from messaging.status.order import Event, Kind

APPLE: Final = "apple_mail_privacy"
GOOGLE: Final = "google_image_proxy"
PREFETCH: Final = "prefetch"
SCANNER: Final = "scanner"
AT_ONCE: Final = "at_once"
BURST: Final = "burst"

# Nobody reads, decides and clicks within these after the mail was handed over.
TOO_SOON: Final = timedelta(seconds=10)
# What programs call themselves, in lower case and as regular expressions, after the documentation of who runs them.
AGENTS: Final[dict[str, tuple[str, ...]]] = {
    # RFC 9309 2.2.1 and Google, "Overview of Google crawlers": what ends in "bot", or names the address of its owner.
    "crawlers": (
        r"(?<!cu)(?<!ro)bot\b", r"\+https?://", r"crawler", r"\bspider\b|spider/", r"baiduspider", r"slurp", r"adsbot",
        r"mediapartners-google", r"apis-google", r"feedfetcher", r"googleother", r"google-\w+", r"ia_archiver",
        r"scrapy",
        r"archive\.org", r"chatgpt-user", r"claude-user", r"perplexity-user", r"uptimerobot", r"pingdom", r"statuscake",
    ),
    # Microsoft, "Which crawlers does Bing use?"; Meta, "Meta Web Crawlers"; WhatsApp, Slack and others show what a link
    # leads to before anybody follows it.
    "previews": (
        r"bingpreview", r"facebookexternalhit", r"facebookcatalog", r"meta-external", r"facebot", r"^whatsapp/",
        r"slack-imgproxy", r"slackbot", r"skypeuripreview", r"url ?preview", r"link ?preview", r"embedly", r"iframely",
        r"vkshare", r"^pinterest/", r"quora link", r"^mastodon/", r"\bviber/\S+ \(.*preview", r"yahoo link preview",
        r"outbrain", r"nuzzel", r"bitlybot", r"tumblr/", r"^iframe", r"linkexpanding",
    ),
    # Their default User-Agent, as each library documents it.
    "libraries": (
        r"python", r"aiohttp", r"\bhttpx\b", r"curl/", r"\bpycurl", r"wget", r"go-http-client", r"fasthttp",
        r"go-resty",
        r"\bjava/", r"httpclient", r"http-client", r"http_client", r"okhttp", r"\baxios", r"node-fetch", r"\bundici",
        r"^node", r"\bgot[ /(]", r"superagent", r"libwww", r"\blwp\b|lwp::|lwp-", r"guzzle", r"^php", r"faraday",
        r"\bruby\b",
        r"rest-client", r"restsharp", r"unirest", r"httpie", r"postmanruntime", r"insomnia/", r"\bdart[/:]", r"reqwest",
        r"^hyper/", r"^ureq/", r"^deno/", r"^bun/", r"winhttp", r"winhttprequest", r"^\.net", r"^powershell",
        r"windowspowershell",
        r"mechanize", r"^jersey", r"asynchttp", r"^akka-http", r"^vert\.x", r"^ktor", r"^urlgrabber", r"^typhoeus",
        r"^jakarta", r"^cpp-httplib", r"^elixir", r"^hackney", r"^mint/", r"^colly", r"^httrack",
    ),
    # Chrome's own, and those of what drives browsers.
    "browsers without a screen": (
        r"headless", r"phantomjs", r"puppeteer", r"playwright", r"selenium", r"webdriver", r"slimerjs", r"htmlunit",
        r"\bjsdom/", r"chrome-lighthouse", r"pagespeed", r"gtmetrix", r"cypress/",
    ),
    # Mail gateways and web filters that follow links before, or instead of, their reader.
    "scanners": (
        r"barracuda", r"mimecast", r"proofpoint", r"urldefense", r"symantec", r"messagelabs", r"bitdefender",
        r"trend ?micro", r"sophos", r"forti(?:net|guard|gate|sandbox|mail)", r"cloudmark", r"forcepoint", r"websense",
        r"bluecoat|blue coat", r"palo ?alto", r"ironport", r"cyren", r"vadesecure", r"hornetsecurity", r"retarus",
        r"trustwave", r"checkpoint|check point", r"safelinks", r"virustotal", r"urlscan", r"netcraft", r"phishtank",
        r"checkphish", r"spamassassin", r"rspamd", r"mailscanner", r"linkscan", r"url ?scan", r"\bscanner/", r"censys",
        r"zgrab", r"masscan", r"\bnmap\b", r"nuclei", r"nikto", r"expanse", r"siteguard", r"webroot", r"kaspersky lab",
    ),
}  # fmt: skip
_PROGRAMS: Final = re.compile("|".join(each for words in AGENTS.values() for each in words))
# Nobody follows so many different links of one message within such a time.
MANY_LINKS: Final = 3
ONE_BREATH: Final = timedelta(seconds=1)
# By whom our own pages are reported (providers/tracking.py).
OUR_PAGES: Final = "tracking"
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def machine_of(headers: Mapping[str, str], age: timedelta | None) -> str:
    """The evidence that it was a program, as one of the words above; empty where there is none.

    `age`: since the message was handed over, None where that is not known.
    """
    agent = headers.get("User-Agent", "").strip()
    if any(
        "prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "").lower() for name in _PURPOSES
    ):
        return PREFETCH
    if agent == "Mozilla/5.0":
        return APPLE
    if not agent or _PROGRAMS.search(agent.lower()):
        return SCANNER
    if age is not None and age < TOO_SOON:
        return GOOGLE if "GoogleImageProxy" in agent else AT_ONCE
    return ""


def bursts_marked(events: Sequence[Event]) -> Sequence[Event]:
    """The events, those marked as a program's that come in a burst: MANY_LINKS of one message within ONE_BREATH, the
    first of them too, and the image that was loaded along with them."""
    clicks = [each for each in events if each.kind is Kind.CLICKED and each.provider == OUR_PAGES]
    if len(clicks) < MANY_LINKS:
        return events
    by_message: dict[int | None, list[Event]] = {}
    for each in sorted(clicks, key=lambda click: click.occurred_at):
        by_message.setdefault(each.message_id, []).append(each)
    spans = {pk: spans for pk, found in by_message.items() if pk is not None and (spans := list(_bursts(found)))}
    return [_marked(each, spans.get(each.message_id or 0, ())) for each in events] if spans else events


def _bursts(clicks: Sequence[Event]) -> Iterator[tuple[datetime, datetime]]:
    """When the bursts among the clicks of a message began and ended; they come in the order of their time."""
    window, links = deque[Event](), Counter[str]()
    for each in clicks:
        window.append(each)
        links[each.provider_code] += 1
        while each.occurred_at - window[0].occurred_at > ONE_BREATH:
            gone = window.popleft()
            links[gone.provider_code] -= 1
            if not links[gone.provider_code]:
                del links[gone.provider_code]
        if len(links) >= MANY_LINKS:
            yield window[0].occurred_at, each.occurred_at


def _marked(event: Event, spans: Sequence[tuple[datetime, datetime]]) -> Event:
    if event.is_automatic or event.provider != OUR_PAGES or event.kind not in (Kind.CLICKED, Kind.OPENED):
        return event
    around = ONE_BREATH if event.kind is Kind.OPENED else timedelta()
    if any(start - around <= event.occurred_at <= end for start, end in spans):
        return replace(event, is_automatic=True, diagnostic=BURST)
    return event
