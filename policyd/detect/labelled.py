"""Credentials without a form of their own, known by the label in front: `api_key = …`, `<clientSecret>…`, `"dbPassword": "…"`.

The one idea: find every value behind a label that could be a secret's with one expression, then ask of each few words: does
the label end in a secret's name and in nothing that takes it back (`key_id`, `public_key`, `token_url`), and does the value
look drawn at random and not like a word, a path, an identifier or a table of letters. Labels with a vendor's name need no
other word.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.checks import PLACEHOLDER, RUNS, WORDY, entropy
from policyd.detect.detector import Detector, Hit, compiled

__all__ = ["LABELLED"]

NAME: Final = "secret.assigned"

MOST: Final = 20_000
"""Values behind a label in one text that are looked at. One more, and the finding counts as present."""

BEHIND: Final = (
    r"""[\\'"\x60\])]*[ \t]*(?:string[ \t]*)?(?:[?+.]?=|:{1,3}=?|=>|>|,|\(|\|\|?)[ \t\r\n]*(?:[>|][+-]?[ \t]*\r?\n[ \t]*)?"""
    r"""[\\'"\x60]*([A-Za-z0-9+/_.~!@#$%^&*-]+={0,2})"""
)
WORDS: Final = r"(?i:(key|token|secret|passw(?:or)?d|passphrase|pwd|credentials?|creds|auth|jwt)[a-z0-9_.-]*)"
VENDOR_WORDS: Final = (
    "adafruit", "adobe", "airtable", "algolia", "alibaba", "asana", "atlassian", "beamer", "bitbucket", "bittrex", "cloudflare",
    "codecov", "cohere", "coinbase", "confluence", "confluent", "contentful", "datadog", "discord", "droneci", "dropbox", "etsy",
    "facebook", "fastly", "finicity", "finnhub", "flickr", "freshbooks", "gitter", "heroku", "hubspot", "intercom", "jfrog",
    "artifactory", "jira", "kraken", "kucoin", "launchdarkly", "linkedin", "looker", "mailchimp", "mailgun", "mapbox", "mattermost",
    "meraki", "messagebird", "netlify", "new_relic", "newrelic", "new-relic", "nytimes", "okta", "plaid", "privateai", "private_ai",
    "rapidapi", "sendbird", "sendgrid", "sentry", "snyk", "sonar", "sourcegraph", "squarespace", "sumo", "telegram", "telegr",
    "travis", "trello", "twilio", "twitch", "twitter", "typeform", "yandex", "zendesk",
)  # fmt: skip
"""Whose keys have no form of their own. Keys that have one are in the tables."""
KEYWORDS: Final = (
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "credential",
    "creds",
    "auth",
    "jwt",
)

BEFORE: Final = re.compile(rb"[A-Za-z0-9_.$:-]{0,48}\Z")
CAMEL: Final = re.compile(r"([a-z0-9])([A-Z])")

TAKEN_BACK: Final = re.compile(
    r"(?:^|_)(?:public|pub|pubkey|csrf|xsrf|primary|foreign|partition|sort|cache|bucket|schema|sequence|issuer|natural|hot|idx|index|author|authors"
    r"|authority|accessor|random|turkey|monkey|keyword|keywords|keyboard|keycode|keyframe|sha1?|sha256|sha512|md5|digest|checksum|fingerprint"
    r"|thumbprint|hash|etag|commit|revision|rev|src|srcrev|license|lic|next|page|continuation|nonce|sitekey|site|integrity|resolved|tokenizer"
    r"|object|s3|row|group|parent|translation|i18n|locale|lang|dictionary|map|query|params?|param|placeholder|regex|pattern|example)(?:_|$)"
    r"|(?:key|token|secret|credentials?|password|auth|access|api)_(?:ids?|name|names|alias|vault|type|size|len|length|count|limit|url|uri|file|path|endpoint|audience"
    r"|usage|algo|algorithm|down|up|press|pressed|pair|ring|selector|signature|stone|store|storetype|mesh|meshing|tag|version|arn|ref|class|field|header|prefix"
    r"|suffix|format|index|code|word|value_type|policy|method|mode|scope|expiry|expires|lifetime|ttl|to_store|service|server|host|domain|state|status|hash"
    r"|chars|str|set|list|map|event|source|location|label|title|description|info|error|message|parser|stream|kind)(?:_|$)"
    r"|_ids?$|_sid$|^client_(?:request_)?token$|^(?:x509|id)_"
)
ENDS: Final = re.compile(
    r"(?:^|_)(?:(?:[a-z0-9]+_)(?:key|auth)|[a-z0-9]*(?:apikey|accesskey|secretkey|privatekey|authkey|licensekey|appkey|authtoken|accesstoken)"
    r"|(?:[a-z]+_)*(?:token|secret|passw(?:or)?d|passphrase|pwd|pass|credentials?|creds|jwt)[0-9]{0,2})(?:_(?:[0-9]+|v[0-9]|prod|production|dev|test|staging|live|value|string|str|base64|b64|hex|primary"
    r"|secondary|default|do_not_commit|encoded|plain|raw|here|srt))*_?$"
)
OPENS: Final = re.compile(
    r"(?:api|access|auth|secret|private|bearer|personal|deploy|oauth|refresh|app|license|service|account)_?(?:key|token)$|secret$|passw(?:or)?d$"
)
"""Names of what opens something, for values that are nothing but unique in other places."""
HELD: Final = re.compile(r"(?:^|_)(?:secret|password|passwd|passphrase|credentials?|creds)(?:_|$)")
"""Names that say it wherever they stand."""

NOT_A_VALUE: Final = re.compile(
    rb"^(?:https?:|[a-z_-]{3,}/|[0-9.]+[/*]|[A-Za-z_.-]+/[A-Za-z_.-]+(?:/|\\.|$)|/[a-z]|\./|\.\./|[a-z]+://|www\.|@|#|--|sha(?:1|256|384|512)[-:]|\$[A-Za-z_{(]|%[a-z]|v?[0-9]+\.[0-9]+\.)|::|\.\.|->"
    rb"|\.(?:com|org|net|io|py|js|ts|go|md|json|ya?ml|html?|txt|png|jpe?g|gif|svg|pem|crt|cer|p12|jks|keytab|conf|xml|java|class|jar|get|id|name|value|key)$"
    rb"|(?i:key|token|secret|password)$|SNAPSHOT|^[A-Z][A-Za-z]+[0-9]{1,4}(?:\.[A-Za-z_]+)+$|^[a-z_]+[0-9]{0,3}(?:\.[A-Za-z_]+[0-9]{0,3})+$"
)
PARTS: Final = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")
UUID: Final = re.compile(rb"(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def snake(label: str) -> str:
    """`dbPasswordOld`, `db-password.old` and `DB_PASSWORD_OLD` in one spelling."""
    return re.sub(r"[^a-z0-9]+", "_", CAMEL.sub(r"\1_\2", label).lower()).strip("_")


@lru_cache(maxsize=4096)
def names_a_secret(label: str) -> bool:
    """Whether this is what people call a place that holds a secret."""
    name = snake(label)
    if TAKEN_BACK.search(name):
        return False
    return ENDS.search(name) is not None or HELD.search(name) is not None


def is_drawn(value: bytes) -> bool:
    """Whether this looks drawn at random and long enough to open something: at least 16 characters. A UUID says nothing by itself."""
    if UUID.match(value):
        return False
    if not 16 <= len(value) <= 512 or WORDY.match(value) or PLACEHOLDER.match(value) or RUNS.search(value):
        return False
    if NOT_A_VALUE.search(value) or not any(48 <= b <= 57 for b in value) or value.upper() == value.lower():
        return False
    return entropy(value) >= (3.0 if len(value) < 20 else 3.3) and not _in_words(value)


def _in_words(value: bytes) -> bool:
    """Made of words and numbers, as identifiers are: hardly any digit for its length, and words where chance writes none."""
    digits = sum(48 <= b <= 57 for b in value)
    if digits * 8 >= len(value):
        return False
    return sum(len(p) for p in PARTS.findall(value) if len(p) >= 4) * 2 > len(value)


def is_chosen(value: bytes, quoted: bool) -> bool:
    """Whether this is a password as people choose them: not a word, and not what stands for one."""
    if (
        not quoted
        or not 8 <= len(value) <= 64
        or PLACEHOLDER.match(value)
        or RUNS.search(value)
        or WORDY.match(value)
    ):
        return False
    digits = sum(48 <= b <= 57 for b in value)
    cased = value.lower() != value and value.upper() != value
    return 0 < digits < len(value) and cased and entropy(value) >= 2.75 and NOT_A_VALUE.search(value) is None


def _find(
    expression: Callable[[], Any], accept: Callable[[bytes, Any], bool]
) -> Callable[[bytes], Iterator[Hit]]:
    def find(data: bytes) -> Iterator[Hit]:
        for number, match in enumerate(expression().finditer(data)):
            if number == MOST:
                yield Hit(NAME, 0, len(data))
                return
            if accept(data, match):
                yield Hit(NAME, *match.span(2))

    return find


def _label(data: bytes, start: int, end: int) -> str:
    """The whole label, of which the expression matched the end from its first word on."""
    before = BEFORE.search(data[max(0, start - 48) : start])
    return ((b"" if before is None else before.group()) + data[start:end][:80]).decode("latin-1")


def _labelled(data: bytes, match: Any) -> bool:
    start, end = match.span(2)
    value = data[start : min(end, start + 600)]
    if value.endswith(b"..") or value in KNOWN_EXAMPLES:
        return False
    value = QUERY.split(value, maxsplit=1)[0].rstrip(b".,;&")
    if len(value) < 8 or data[end : end + 1] in (b"(", b"[", b"{") or not _worth(value):
        return False
    label_end = LABEL_END.match(data[match.start(1) : match.start(1) + 120])
    label = _label(data, match.start(1), match.start(1) + (0 if label_end is None else label_end.end()))
    if not names_a_secret(label) or "::" in label or "arn:" in label:
        return False
    if UUID.match(value):
        return OPENS.search(snake(label)) is not None and not RUNS.search(value)
    separator = data[match.start(1) + (0 if label_end is None else label_end.end()) : start]
    quoted = separator[-1:] in b"\"'`" or label.isupper()
    if b"," in separator or b"(" in separator or b"|" in separator.replace(b"|\n", b""):
        return quoted_call(separator) and is_drawn(value)
    return is_drawn(value) or (
        ("pass" in label.lower() or "pwd" in label.lower()) and is_chosen(value, quoted)
    )


def quoted_call(separator: bytes) -> bool:
    """A list's comma, or a call's, between two quoted words or none; not one quoted and one not, which is code."""
    comma = separator.strip()
    return separator.strip(b"\\\"'`") == b"," or (comma[:1] in b"\\\"'`" and comma[-1:] in b"\\\"'`")


def _worth(value: bytes) -> bool:
    return any(48 <= b <= 57 for b in value[:600])


KNOWN_EXAMPLES: Final = frozenset(
    {bytes.fromhex("3666653434373665653561313833323838326533323662353036643134313236")}
)
"""Published keys that open nothing: the public search key of Yarn's documentation."""

QUERY: Final = re.compile(rb"&[A-Za-z_.-]+=")
"""The next parameter of a URL's query, which is no part of the one before it."""

LABEL_END: Final = re.compile(rb"[A-Za-z0-9_.-]*")


def _vendor(data: bytes, match: Any) -> bool:
    """Behind a vendor's name: a key of at least 20, or such a one as starts as the vendor's do."""
    start, end = match.span(2)
    value = data[start : min(end, start + 600)].rstrip(b".,;&")
    if data[end : end + 1] in (b"(", b"[", b"{"):
        return False
    label_end = LABEL_END.match(data[match.start(1) : match.start(1) + 120])
    label = _label(data, match.start(1), match.start(1) + (0 if label_end is None else label_end.end()))
    separator = data[match.start(1) + (0 if label_end is None else label_end.end()) : start]
    if b"\n" in separator and b"," in separator:
        return False
    if match.group(1).lower() == b"sumo" and len(value) == 14 and value.startswith(b"su"):
        return is_key(value)
    if TAKEN_BACK.search(snake(label)):
        return False
    return len(value) >= 20 and is_key(value)


def is_key(value: bytes) -> bool:
    """Letters and digits that vary; unlike `is_drawn`, `12345678` may stand in it."""
    if value.upper() == value.lower() or not any(48 <= b <= 57 for b in value) or NOT_A_VALUE.search(value):
        return False
    return WORDY.match(value) is None and entropy(value) >= 3.0 and not _in_words(value)


@lru_cache(maxsize=1)
def _assigned() -> Any:
    return compiled(WORDS + BEHIND)


@lru_cache(maxsize=1)
def _vendors() -> Any:
    return compiled(rf"(?i:({'|'.join(VENDOR_WORDS)})[a-z0-9_. -]*)" + BEHIND)


LABELLED: Final[tuple[Detector, ...]] = (
    Detector(frozenset({NAME}), _find(_assigned, _labelled), KEYWORDS, digits=1),
    Detector(frozenset({NAME}), _find(_vendors, _vendor), VENDOR_WORDS, digits=1),
)
