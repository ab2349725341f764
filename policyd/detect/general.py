"""The table of credentials that have a place instead of an issuer: tokens, connection strings, headers, commands, and the
files in which programs keep passwords."""

import base64
import binascii
import re
from typing import Final

from policyd.detect.checks import (
    PLACEHOLDER,
    WORDY,
    entropy,
    is_encoded_jwt,
    is_jwt,
    is_random,
    is_varied,
)
from policyd.detect.pattern import Pattern, token

__all__ = ["GENERAL"]

NOBODY: Final = re.compile(rb"@(?:[A-Za-z0-9-]+\.)*(?:example\.(?:com|org|net|edu)|example|invalid)\b")


def is_url_password(text: bytes, start: int, end: int) -> bool:
    """A password in a URL, unless its host is one of those that can be nobody's (RFC 2606), or several hosts stand there."""
    several = b"," in text[start:end] and b":" in text[start:end]
    return not several and is_password(text, start, end) and NOBODY.match(text[end : end + 100]) is None


VARIABLE: Final = re.compile(rb"^[\"']?(?:[$<\[(%]|\{\{|\$)|^\S*\$\(|[>\])}]\Z")


def is_password(text: bytes, start: int, end: int) -> bool:
    """A password in a URL or a connection string: three to 256 characters that stand for themselves."""
    value = text[start:end]
    return 3 <= len(value) <= 256 and PLACEHOLDER.match(value) is None and entropy(value) > 1


def is_user_and_password(text: bytes, start: int, end: int) -> bool:
    """`user:password` as curl takes it, with quotes around either or both; one of the two may be empty."""
    value = text[start:end]
    user, _, password = value.replace(b'"', b"").replace(b"'", b"").partition(b":")
    if VARIABLE.search(user) and not user.startswith(b"{"):
        return False
    if password.startswith(b"{") and password.endswith(b"}") and not password.startswith(b"{{"):
        password = password[1:-1]
    secret = password or user
    if VARIABLE.search(secret) or PLACEHOLDER.match(secret) or len(secret) < 4:
        return False
    if password == b"" and (b":" not in value or WORDY.match(secret)):
        return False
    return entropy(secret) >= 2


def is_header_value(text: bytes, start: int, end: int) -> bool:
    """What a header shows to be let in: not a word, not a placeholder."""
    value = text[start : min(end, start + 512)]
    if PLACEHOLDER.match(value) or WORDY.match(value) or entropy(value) < 2.75:
        return False
    return any(48 <= b <= 57 for b in value) or _has_colon(value)


def _has_colon(value: bytes) -> bool:
    """Whether this is `user:password` in base64."""
    try:
        decoded = base64.b64decode(value[: len(value) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded[:256] and decoded[:32].isascii()


def is_basic(text: bytes, start: int, end: int) -> bool:
    """`user:password` in base64, as Docker's configuration keeps it."""
    return _has_colon(text[start : min(end, start + 512)])


MANIFEST: Final = 6000
"""Bytes on each side of `kind: Secret` in which its data may stand."""

DATA: Final = re.compile(rb"(?m)^([ \t]*)[\"']?(?:data|stringData)[\"']?:[ \t]*(?:#[^\n]*)?\r?$")
IN_BASE64: Final = re.compile(rb"(?:^|[\s:])[\"']?([A-Za-z0-9+/]{10,}={0,3})[\"']?\s*\Z")
DATA_IN_JSON: Final = re.compile(
    rb'\\?"data\\?"\s*:\s*\{[^{}]{0,400}?\\?"\s*:\s*\\?"[A-Za-z0-9+/]{10,}={0,3}\\?"'
)
DATA_IN_BRACES: Final = re.compile(
    rb"(?m)^[ \t]*(?:data|stringData)[ \t]*:[ \t]*\{[^{}]{0,400}?:[ \t]+[\"']?[A-Za-z0-9+/]{10,}={0,3}[\"']?\s*[,}]"
)


def holds_data(text: bytes, start: int, end: int) -> bool:
    """Whether the manifest in which this says `kind: Secret` has a value of more than a few letters in its data."""
    before = text[max(0, start - MANIFEST) : start].rpartition(b"\n---")[2]
    behind = text[end : end + MANIFEST].partition(b"\n---")[0]
    manifest = before + text[start:end] + behind
    if DATA_IN_JSON.search(manifest) or DATA_IN_BRACES.search(manifest):
        return True
    for block in DATA.finditer(manifest):
        for line in manifest[block.end() + 1 :].split(b"\n"):
            stripped = line.strip()
            if not stripped or stripped.startswith(b"#"):
                continue
            if len(line) - len(line.lstrip()) <= len(block[1]):
                break
            if IN_BASE64.search(line.rstrip()):
                return True
    return False


def holds_data_in_json(text: bytes, start: int, end: int) -> bool:
    """The same for JSON on one line, where nothing else tells a manifest from another object with a kind."""
    around = text[max(0, start - MANIFEST) : end + MANIFEST]
    return b'apiVersion"' in around.replace(b'\\"', b'"') and DATA_IN_JSON.search(around) is not None


KEYS: Final = r"server|data source|host|addr(?:ess)?|dsn|driver|user id|uid|database|initial catalog"
PAIR: Final = r"[a-z_]{2,30}\s?=\s?(?:'[^'\n]*'|[^\s,;\"'()=]+)"
IN_QUOTES: Final = r"([^\s\"'+&.,;:)}\]|\\<>][^\"'\n\\]{2,127})"
"""A password in quotes. What begins otherwise is what stands between two strings of code."""

SCHEME: Final = r"Basic|Bearer|Token|Api-Token|ApiKey|Digest|Negotiate|SSWS|Bot"
CURL: Final = r"\bcurl(?:\.exe)?\b(?:[^\n]|\\\r?\n|\x60\r?\n)*?[ \t]"

GENERAL: Final = (
    Pattern("secret.jwt", (), r"eyJ[A-Za-z0-9_+/-]{8,}\.(?:eyJ[A-Za-z0-9_+/\\-]{6,}\.?[A-Za-z0-9_+/\\-]*|[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{8,})", is_jwt, ("eyJ",)),
    Pattern("secret.jwt", (), r"ZXlK[A-Za-z0-9+/_-]{40,}", is_encoded_jwt, ("ZXlK",)),
    Pattern("secret.connection-string", ("://",), r"[A-Za-z0-9]://[^\s:/@'\"<>()\[\]{}\x60|]*:([^\s/'\"<>\x60]+(?:'[A-Za-z0-9!#$*_-][^\s/'\"<>\x60]*)*)@[A-Za-z0-9\[_.-]", is_url_password),
    Pattern("secret.connection-string", ("password=", "pwd=", "password =", "pwd ="),
            r"(?i)(?:server|data source|host|hostaddr|addr(?:ess)?|dsn|driver|user id|uid|dbname)\s*=[^;\n]{1,200}[; ][^\n]{0,400}?(?:password|pwd) ?=\s*([^;\s'\"&]{3,128})", is_password),
    Pattern("secret.connection-string", ("password=", "pwd=", "password =", "pwd ="),
            rf"(?i)(?:{KEYS})\s*=[^;\n\"']{{1,200}};[^\n\"']{{0,400}}?(?:password|pwd)\s?=\s?\\?[\"']{IN_QUOTES}\\?[\"'](?:[;\"'\\\s]|$)", is_password),
    Pattern("secret.connection-string", ("password=", "pwd="),
            rf"(?i)(?:password|pwd)=([^;\s'\"&]{{3,128}});[ ]?(?:[a-z ]{{2,30}}=[^;\n\"'=]*;[ ]?)*(?:{KEYS})=", is_password),
    Pattern("secret.connection-string", ("password=", "password ="),
            rf"(?i)(?:host|hostaddr|dbname|user|port|sslmode)\s?=\s?[^\s,;\"'()=]+(?: {PAIR})* password\s?=\s?'{IN_QUOTES}'", is_password),
    Pattern("secret.connection-string", ("password=", "password ="),
            rf"(?i)password\s?=\s?'{IN_QUOTES}'(?: {PAIR})* (?:host|hostaddr|dbname|user)\s?=", is_password),
    Pattern("secret.connection-string", ("jdbc:",), r"(?i)jdbc:[a-z0-9:]+[^\s\"'<>]*[?;&]password=([^&;\s\"'<>]{3,128})", is_password),
    Pattern("secret.connection-string", ("jdbc:oracle:",), r"(?i)jdbc:oracle:(?:thin|oci8?):[^\s/@\"']{1,64}/([^\s/@\"']{3,64})@", is_password),
    Pattern("secret.authorization", ("authorization", "x-api-key", "api-key"),
            rf"(?i)(?:authorization[\\'\"]{{0,2}}\s*[:=]\s*[\\'\"]{{0,2}}(?:{SCHEME})\s+|x?-?api-key[\\'\"]{{0,2}}\s*[:=]\s*[\\'\"]{{0,2}})([a-z0-9+/=_.~-]{{20,512}})", is_random),
    Pattern("secret.authorization", ("curl",),
            rf"(?i){CURL}(?:-H|--header)[= \t]{{0,5}}[\"'](?:(?:proxy-)?authorization:[ \t]{{0,5}}(?:(?:{SCHEME})[ \t]+)?|(?:x-)?(?:[a-z]+-)?(?:api-?)?(?:key|token|secret):[ \t]{{0,5}})([\w=~@.+/-]{{8,}})[\"']",
            is_header_value),
    Pattern("secret.authorization", ("curl",),
            CURL + r"(?:-u|--user)(?:=|[ \t]{0,5})((?:\"[^\"\n]{2,200}\"|'[^'\n]{2,200}'|[^\s\"':]{1,100})(?::(?:\"[^\"\n]{1,200}\"|'[^'\n]{1,200}'|[^\s\"']{1,200}))?)", is_user_and_password),
    Pattern("secret.authorization", ("sshpass",), r"sshpass\s+-p\s*['\"]?([^\s'\"$]{6,128})", is_password),
    Pattern("secret.kubernetes", ("kind",), r"(?im)^[ \t{-]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?secret[\"']?[ \t\r]*,?[ \t\r]*(?:#[^\n]*)?$", holds_data, whole=False),
    Pattern("secret.kubernetes", ("kind",), r"\\?\"kind\\?\"\s*:\s*\\?\"Secret\\?\"\s*[,}]", holds_data_in_json, whole=False),
    Pattern("secret.netrc", ("machine",), r"machine\s+\S+\s+login\s+\S+\s+password\s+(\S{4,256})", is_password),
    Pattern("secret.pgpass", (":5432:", ":*:", ":5433:", ":6432:"), r"(?m)^(?:[A-Za-z0-9_.-]+|\*):(?:5432|5433|6432|\*):(?:[A-Za-z0-9_.-]+|\*):(?:[A-Za-z0-9_.-]+|\*):([^\s:]{6,128})$", is_password),
    Pattern("secret.docker", ('"auth"', '\\"auth\\"'), r"\"auth\\?\"\s*:\s*\\?\"([A-Za-z0-9+/]{12,}={0,2})", is_basic),
    Pattern("secret.password-hash", (), r"\$(?:apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}|[56]\$(?:rounds=[0-9]+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}|y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{43}|argon2(?:id|i|d)\$v=[0-9]+\$m=[0-9,=tp]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{20,})",
            is_varied, ("$apr1$", "$2a$", "$2b$", "$2x$", "$2y$", "$5$", "$6$", "$y$", "$argon2")),
    token("secret.password-hash", r"\{(?:S?SHA(?:256|512)?|SMD5)\}[A-Za-z0-9+/]{27,}={0,2}", "{SSHA", "{SHA", "{SMD5}"),
    Pattern("secret.ansible-vault", ("$ansible_vault;",), r"\$ANSIBLE_VAULT;[0-9.]+;AES256[^\n]*\n\s*[0-9a-f]{60,}", None, whole=False),
)  # fmt: skip
