"""How many credentials the detectors find, and how many they find where there are none.

    python -m bench.quality_secrets                     all three measurements, written to bench/results/detectors.md
    python -m bench.quality_secrets --megabytes 20      the clean texts only as far as that, nothing written
    python -m bench.quality_secrets --show              the finds in clean texts, with what stands around them

Three measurements. Examples that the authors of gitleaks wrote (`tests/data/gitleaks`): what must be found and what must not.
Made-up credentials of published forms in the ways in which people write them, as gitleaks' own tests do. Clean texts, which
are what lies on the machine: sources, prose and JSON, chosen by the hash of their paths; each find in them was read by a
person, whose verdict is kept by the hash of what was found (`bench/quality_secrets.json`).
"""

import argparse
import base64
import gzip
import hashlib
import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.quality import Score, listed, machine, table, write_section
from policyd.detect.builtin import DETECTORS
from policyd.detect.engine import Engine
from policyd.detect.visible import searched

__all__: list[str] = []

LITERALS: Final = Path("tests/data/gitleaks/literals.json")
VERDICTS: Final = Path(__file__).with_suffix(".json")
KINDS: Final = ("secret", "private-key")

CORPORA: Final = {
    "code": (".py", ".js", ".ts", ".go", ".c", ".h", ".rs", ".rb", ".pl", ".pm", ".sh", ".java"),
    "prose": (".md", ".rst", ".txt", ".html", ".gz"),
    "json": (".json",),
}
ROOTS: Final = ("/usr/lib", "/usr/share", "/usr/local", "/root/.pyenv/versions", "/opt")
LARGEST: Final = 1_000_000
MEGABYTES: Final = 100
TUNED: Final = {"code": 180, "prose": 180, "json": 60}
"""Megabytes at the front of each corpus on which the detectors were tuned. They are not measured on."""


class Found(NamedTuple):
    path: str
    name: str
    value: bytes
    around: str

    @property
    def key(self) -> str:
        return hashlib.sha256(self.name.encode() + b"\0" + self.value).hexdigest()[:16]


def secrets_in(engine: Engine, text: str) -> frozenset[str]:
    return frozenset(n for n in engine.names_in(searched(text)) if n.split(".")[0] in KINDS)


def literals(engine: Engine) -> tuple[list[Score], list[str], list[str]]:
    """By gitleaks' rules: a score for all of them, and what was missed and found wrongly."""
    scores: dict[str, Score] = {}
    for example in json.loads(LITERALS.read_text(encoding="utf-8"))["examples"]:
        text = example["backwards"][::-1]
        score = scores.setdefault(example["rule"], Score(example["rule"]))
        words = f"{example['rule']}: `{masked(text[:100])}`"
        score.count(there=example["secret"], found=bool(secrets_in(engine, text)), words=words)
    total = Score("all rules", sum(s.right for s in scores.values()))
    total.missed = [w for s in scores.values() for w in s.missed]
    total.false = [w for s in scores.values() for w in s.false]
    worse = [s for s in scores.values() if s.missed or s.false]
    return [total, *sorted(worse, key=lambda s: s.kind)], total.missed, total.false


def masked(text: str) -> str:
    """Enough to recognise it, not enough to be taken for a leak."""
    text = re.sub(r"[A-Za-z0-9+/_=.~-]{14,}", lambda m: m[0][:8] + "…", text)
    return " ".join(text.replace("`", "'").replace("|", "¦").split())


CONTEXTS: Final = (
    '{i}Token="{s}"', '{i}Token = "{s}"', "{i}Token={s}", "{i}Token = {s}", '{{\n    "{i}_token": "{s}"\n}}',
    '\\{{\n    \\"{i}_token\\": \\"{s}\\"\n\\}}', "<{i}Token>{s}</{i}Token>", "<{i}Token>\n    {s}\n</{i}Token>", "{i}_token: {s}",
    "{i}_token: '{s}'", '{i}_token: "{s}"', "{i}_token: |\n  {s}", "{i}_token: >\n  {s}", 'string {i}Token = "{s}";',
    'var {i}Token string = "{s}"', '{i}Token := "{s}"', "{i}Token := `{s}`", 'String {i}Token = "{s}";', 'var {i}Token = "{s}"',
    '${i}Token .= "{s}"', "{i}Token = '{s}'", "{i}Token,{s},", '  "{i}Token" => "{s}"', '{i}_TOKEN = "{s}"', '{i}_TOKEN := "{s}"',
    '{i}_TOKEN ::= "{s}"', '{i}_TOKEN :::= "{s}"', '{i}_TOKEN ?= "{s}"', '{i}_TOKEN += "{s}"',
)  # fmt: skip
"""The ways in which gitleaks' tests write a credential, with the name of who issued it."""

HEX, ALNUM, WORD, MIXED = "[0-9a-f]", "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[a-z0-9]"
UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

FORMS: Final = {
    "adafruit": "[a-z0-9_-]{32}", "adobe": "p8e-[a-z0-9]{32}", "airtable": "[a-z0-9]{17}", "algolia": "[a-z0-9]{32}", "alibaba": "LTAI[A-Za-z0-9]{20}",
    "artifactory": "AKCp[A-Za-z0-9]{69}", "asana": "[a-z0-9]{32}", "atlassian": "[a-z0-9]{20}[0-9a-f]{4}", "authress": "sc_[a-z0-9]{12}.[a-z0-9]{5}.acc-[a-z0-9]{20}.[A-Za-z0-9]{60}",
    "AWS": "AKIA[A-Z2-7]{16}", "beamer": "b_[a-z0-9_-]{44}", "bitbucket": "[a-z0-9]{32}", "bittrex": "[a-z0-9]{32}", "ClickHouse": "4b1d[A-Za-z0-9]{38}",
    "clojars": "CLOJARS_[a-z0-9]{60}", "cloudflare": "[A-Za-z0-9_-]{40}", "codecov": "[a-z0-9]{32}", "cohere": "[A-Za-z0-9]{40}", "coinbase": "[a-z0-9_-]{64}",
    "confluent": "[a-z0-9]{64}", "contentful": "[A-Za-z0-9_-]{43}", "databricks": "dapi[0-9a-f]{32}", "datadog": "[a-z0-9]{40}", "dnkey": "dnkey-[a-z0-9_-]{26}-[a-z0-9_-]{52}",
    "do": "dop_v1_[0-9a-f]{64}", "discord": "[0-9a-f]{64}", "doppler": "dp.pt.[a-z0-9]{43}", "droneci": "[a-z0-9]{32}", "dropbox": "sl.[A-Za-z0-9_-]{135}",
    "duffel": "duffel_test_[a-z0-9_-]{43}", "dynatrace": "dt0c01.[A-Z0-9]{24}.[A-Z0-9]{64}", "EZAK": "EZAK[A-Za-z0-9]{54}", "etsy": "[a-z0-9]{24}", "facebook": "[0-9a-f]{32}",
    "fastly": "[A-Za-z0-9_-]{32}", "finicity": "[0-9a-f]{32}", "finnhub": "[a-z0-9]{20}", "flickr": "[0-9a-f]{32}", "flutterwave": "FLWSECK_TEST-[a-h0-9]{32}-X",
    "fly": "fo1_[A-Za-z0-9_-]{43}", "frameio": "fio-u-[a-z0-9_-]{64}", "freshbooks": "[a-z0-9]{64}", "gcp": "AIza[A-Za-z0-9_-]{35}", "github": "ghp_[A-Za-z0-9]{36}",
    "githubFine": "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", "gitlab": "glpat-[A-Za-z0-9]{20}", "gitlabDeploy": "gldt-[A-Za-z0-9]{20}", "gitlabRunner": "GR1348941[A-Za-z0-9]{20}",
    "gitter": "[a-z0-9_-]{40}", "gocardless": "live_[A-Za-z0-9_-]{40}", "grafana": "eyJrIjoi[A-Za-z0-9]{70}", "grafanaCloud": "glc_[A-Za-z0-9]{32}", "groq": "gsk_[A-Za-z0-9]{52}",
    "harness": "pat.[A-Za-z0-9_-]{22}.[A-Za-z0-9]{24}.[A-Za-z0-9]{20}", "terraform": "[a-z0-9]{14}.atlasv1.[A-Za-z0-9_-]{65}", "heroku": UUID, "hubspot": UUID, "huggingface": "hf_[A-Za-z]{34}",
    "ico": "ico-[A-Za-z0-9]{32}", "intercom": "[A-Za-z0-9_-]{60}", "intra42": "s-s4t2ud-[0-9a-f]{64}", "jfrog": "[A-Za-z0-9]{73}", "kraken": "[A-Za-z0-9_-]{84}", "kucoin": "[0-9a-f]{24}",
    "launchdarkly": "[a-z0-9_-]{40}", "linear": "lin_api_[a-z0-9]{40}", "linkedin": "[A-Za-z0-9]{16}", "lob": "test_[0-9a-f]{35}", "looker": "[a-z0-9]{24}", "mailchimp": "[0-9a-f]{32}-us20",
    "mailgun": "key-[0-9a-f]{32}", "mapbox": "pk.[a-z0-9]{60}.[a-z0-9]{22}", "mattermost": "[a-z0-9]{26}", "maxmind": "[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", "meraki": "[0-9a-f]{40}",
    "messagebird": "[a-z0-9]{25}", "netlify": "[A-Za-z0-9_-]{42}", "new-relic": "NRAK-[A-Z0-9]{27}", "newrelicBrowser": "NRJS-[0-9a-f]{19}", "notion": "ntn_[0-9]{11}[A-Za-z0-9]{35}", "npm": "npm_[A-Za-z0-9]{36}",
    "nytimes": "[A-Za-z0-9_-]{32}", "octopus": "API-[A-Z0-9]{26}", "okta": "00[A-Za-z0-9_-]{40}", "openai": "sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}", "openshift": "sha256~[A-Za-z0-9_-]{43}",
    "perplexity": "pplx-[A-Za-z0-9]{48}", "plaid": "[a-z0-9]{30}", "plaidAccess": "access-sandbox-" + UUID, "planetscale": "pscale_tkn_[A-Za-z0-9_-]{43}", "postman": "PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "prefect": "pnu_[A-Za-z0-9]{36}", "privateai": "[a-z0-9]{32}", "pulumi": "pul-[0-9a-f]{40}", "pypi": "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{70}", "rapidapi": "[A-Za-z0-9_-]{50}", "readme": "rdme_[a-z0-9]{70}",
    "rubygems": "rubygems_[0-9a-f]{48}", "scalingo": "tk-us-[A-Za-z0-9_-]{48}", "sendbird": "[0-9a-f]{40}", "sendgrid": "SG.[A-Za-z0-9_-]{22}.[A-Za-z0-9_-]{43}", "sendinblue": "xkeysib-[0-9a-f]{64}-[a-z0-9]{16}",
    "sentry": "[0-9a-f]{64}", "sentryUser": "sntryu_[0-9a-f]{64}", "settlemint": "sm_pat_[A-Za-z0-9]{16}", "shippo": "shippo_live_[0-9a-f]{40}", "shopify": "shpat_[0-9a-f]{32}", "slack": "xoxb-[0-9]{12}-[0-9]{12}-[A-Za-z0-9]{24}",
    "snyk": UUID, "sonar": "squ_[0-9a-f]{40}", "sourcegraph": "sgp_local_[0-9a-f]{40}", "square": "sq0atp-[A-Za-z0-9_-]{22}", "squarespace": UUID, "stripe": "sk_test_[A-Za-z0-9]{30}", "sumologic": "[A-Za-z0-9]{64}",
    "telegram": "[0-9]{8}:A[A-Za-z0-9_-]{34}", "travis": "[a-z0-9]{22}", "trello": "[a-zA-Z0-9]{32}", "twilio": "SK[0-9a-f]{32}", "twitch": "[a-z0-9]{30}", "twitter": "[0-9]{18}-[A-Za-z0-9]{40}", "typeform": "tfp_[a-z0-9_-]{59}",
    "vault": "hvs.[A-Za-z0-9_-]{92}", "vaultOld": "s.[0-9][A-Za-z0-9]{23}", "yandex": "AQVN[A-Za-z0-9_-]{36}", "zendesk": "[a-z0-9]{40}", "generic": "[A-Za-z0-9]{32}",
}  # fmt: skip
"""What issuers publish of their keys: literals, and `[alphabet]{count}`."""

RANGES: Final = {
    "a-z": "abcdefghijklmnopqrstuvwxyz",
    "A-Z": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0-9": "0123456789",
    "2-7": "234567",
    "a-f": "abcdef",
    "a-h": "abcdefgh",
}


def made(form: str, rng: random.Random) -> str:
    """One credential of this form."""

    def drawn(match: re.Match[str]) -> str:
        alphabet = match[1]
        for name, letters in RANGES.items():
            alphabet = alphabet.replace(name, letters)
        return "".join(rng.choice(alphabet) for _ in range(int(match[2] or 1)))

    return re.sub(r"\[([^\]]+)\](?:\{(\d+)\})?", drawn, form)


def made_up(engine: Engine) -> list[Score]:
    rng = random.Random(20_26)
    total, scores = Score("all forms"), []
    for issuer, form in FORMS.items():
        score = Score(issuer)
        for context in CONTEXTS:
            text = context.format(i=issuer, s=made(form, rng))
            words = f"{issuer}, in the way of `{masked(context.replace('{s}', '…'))}`"
            score.count(there=True, found=bool(secrets_in(engine, text)), words=words)
        total.right += score.right
        total.missed += score.missed
        if score.missed:
            scores.append(score)
    return [total, *sorted(scores, key=lambda s: s.recall or 0)]


def files(ends: tuple[str, ...]) -> list[Path]:
    """Those of the machine's own files, in the order of their paths' hashes, which is nobody's choice."""
    found = (
        p
        for root in ROOTS
        for p in Path(root).rglob("*")
        if p.suffix in ends and p.is_file() and not p.is_symlink()
    )
    return sorted(found, key=lambda p: hashlib.sha256(str(p).encode()).digest())


def texts(ends: tuple[str, ...], megabytes: int, skipped: int) -> Iterator[tuple[str, str]]:
    """So many megabytes of them, behind those that are skipped; each text once."""
    left, skip, seen = megabytes * 1_000_000, skipped * 1_000_000, set[bytes]()
    for path in files(ends):
        try:
            raw = path.read_bytes()[:LARGEST]
            raw = gzip.decompress(raw)[:LARGEST] if path.suffix == ".gz" else raw
            text = raw.decode("utf-8")
        except (OSError, ValueError, EOFError):
            continue
        digest = hashlib.sha256(raw).digest()
        if digest in seen:
            continue
        seen.add(digest)
        if skip > 0:
            skip -= len(raw)
            continue
        yield str(path), text
        left -= len(raw)
        if left <= 0:
            return


def clean(
    engine: Engine, megabytes: int, skipped: dict[str, int]
) -> Iterator[tuple[str, int, int, float, list[Found]]]:
    """Of each corpus: texts, bytes, seconds of scanning, and what was found."""
    for kind, ends in CORPORA.items():
        count = size = 0
        spent, found = 0.0, []
        for path, text in texts(ends, megabytes, skipped.get(kind, 0)):
            data = searched(text)
            began = time.process_time()
            hits = [h for h in engine.hits(data) if h.name.split(".")[0] in KINDS]
            spent += time.process_time() - began
            count, size = count + 1, size + len(data)
            for hit in hits:
                around = data[max(0, hit.start - 60) : hit.end + 30].decode("utf-8", "replace")
                found.append(Found(path, hit.name, data[hit.start : hit.end], around))
        yield kind, count, size, spent, list({f.key: f for f in found}.values())


def chance(engine: Engine) -> list[str]:
    """How many finds there are in random bytes, written as they are in texts."""
    rng = random.Random(7)
    rows = ["| random bytes | MB of text | finds |", "|---|---:|---:|"]
    for name, count, written in (
        ("base64", 60, base64.b64encode), ("base64url", 30, base64.urlsafe_b64encode), ("hexadecimal digits", 15, lambda b: b.hex().encode()),
    ):  # fmt: skip
        blobs = [b"data: " + written(rng.randbytes(750_000)) for _ in range(count)]
        finds = sum(1 for blob in blobs for _ in engine.hits(blob))
        rows.append(f"| {name} | {sum(map(len, blobs)) / 1e6:.0f} | {finds} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int)
    parser.add_argument("--all", action="store_true", help="from the front of each corpus")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    engine = Engine(d for d in DETECTORS if any(n.split(".")[0] in KINDS for n in d.names))
    verdicts: dict[str, str] = json.loads(VERDICTS.read_text()) if VERDICTS.exists() else {}
    scores, missed, false = literals(engine)
    forms = made_up(engine)
    print(table(scores), listed(missed + false), table(forms), sep="\n\n")
    rows, told = [], []
    for kind, count, size, spent, found in clean(
        engine, arguments.megabytes or MEGABYTES, {} if arguments.all else TUNED
    ):
        wrong = [f for f in found if verdicts.get(f.key, "false") == "false"]
        ratio = len(wrong) / (size / 10e6)
        rows.append(
            f"| {kind} | {count:,} | {size / 1e6:.1f} | {len(found)} | {len(found) - len(wrong)} | {len(wrong)} | {ratio:.2f} | {size / 1e6 / spent:.0f} |"
        )
        print(rows[-1])
        told += [
            f"{f.name}, {verdicts.get(f.key, 'not read')}: `{masked(f.around[-90:])}` in {Path(f.path).name}"
            for f in found
        ]
        if arguments.show:
            for f in found:
                print(f.key, verdicts.get(f.key, "?"), f.name, f.path, repr(f.around))
    if arguments.megabytes is None:
        write_section("Credentials: random bytes", "\n".join(chance(engine)))
        write(scores, missed, false, forms, rows, told)


def write(
    scores: list[Score],
    missed: list[str],
    false: list[str],
    forms: list[Score],
    rows: list[str],
    told: list[str],
) -> None:
    write_section(
        "Credentials: gitleaks' own examples",
        f"{machine()}. The rules with a miss or a false find, and all together.\n\n{table(scores, what='rule')}\n\nMissed:\n\n{listed(missed)}\n\n"
        f"Found, though gitleaks says it is none:\n\n{listed(false)}",
    )
    write_section(
        "Credentials: made-up ones of published forms",
        f"{len(FORMS)} forms in {len(CONTEXTS)} ways of writing each; the forms with a miss.\n\n{table(forms, what='form')}\n\nMissed:\n\n{listed(forms[0].missed)}",
    )
    head = "| corpus | texts | MB | finds | of them real examples | false | false per 10 MB | MB/s |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    write_section(
        "Credentials: clean texts",
        f"The {MEGABYTES} MB of each corpus behind those on which the detectors were tuned. Every find was read. A real example is a credential that somebody published in full in documentation, a test or sample code.\n\n"
        + "\n".join([head, *rows])
        + "\n\nEvery find:\n\n"
        + listed(sorted(told)),
    )


if __name__ == "__main__":
    main()
