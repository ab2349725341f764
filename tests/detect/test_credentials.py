"""Credentials: the examples that the authors of gitleaks wrote, every format of the tables, and values known by their labels."""

import base64
import json
import random
import string
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.detect.builtin import DETECTORS, built_in
from policyd.detect.detector import compiled
from policyd.detect.labelled import names_a_secret, snake
from policyd.detect.patterns import PATTERNS
from policyd.detect.samples import samples
from policyd.detect.visible import searched
from policyd.policy.findings import FINDINGS

EXAMPLES: Final = json.loads(
    (Path(__file__).parents[1] / "data" / "gitleaks" / "literals.json").read_text(encoding="utf-8")
)["examples"]

MISSED: Final = {
    "hashicorp-tf-password": 'password       = "rootpasswd"',
    "sumologic-access-id": 'sumologic_access_id = "sug5XpdpaoxtOH"',
}
"""A password that is a word, and an id of 14 characters behind a label that says `id`."""


def secrets(text: str) -> set[str]:
    return {n for n in built_in().names_in(searched(text)) if n.split(".")[0] in ("secret", "private-key")}


def drawn(count: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 11) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(count))


@pytest.mark.parametrize(
    "example",
    [e for e in EXAMPLES if e["secret"] and MISSED.get(e["rule"]) != e["backwards"][::-1]],
    ids=lambda e: e["rule"],
)
def test_what_gitleaks_must_find_is_found(example: dict[str, str]) -> None:
    assert secrets(example["backwards"][::-1])


@pytest.mark.parametrize("example", [e for e in EXAMPLES if not e["secret"]], ids=lambda e: e["rule"])
def test_what_gitleaks_must_not_find_is_not_found(example: dict[str, str]) -> None:
    assert secrets(example["backwards"][::-1]) == set()


def test_the_examples_missed_are_two_and_still_missed() -> None:
    texts = {e["rule"]: e for e in EXAMPLES}
    assert set(MISSED) <= set(texts)
    assert [rule for rule, text in MISSED.items() if secrets(text)] == []


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.finding)
def test_a_text_of_its_own_form_is_found_by_every_pattern(pattern: object) -> None:
    """Its literals lead to its expression, and its check takes what the expression makes at random. What decodes its
    candidates refuses random ones, so there it is enough that the detector is asked."""
    finding, expression, check = pattern.finding, pattern.expression, pattern.check  # type: ignore[attr-defined]
    # A keyword may stand anywhere near; what has to be written exactly is part of the form.
    word = f"{pattern.keywords[0]} \n".encode() if pattern.keywords else b""  # type: ignore[attr-defined]
    made = [word + text for text in samples(expression, 12)]
    made = [text for text in made if compiled(expression).search(text)]
    assert made, "no sample of the expression matches it"
    engine = built_in()
    asked = [finding in frozenset[str]().union(*(d.names for d in engine._asked(text))) for text in made]
    assert all(asked)
    decodes = {
        "is_jwt",
        "is_encoded_jwt",
        "holds_data",
        "holds_data_in_json",
        "is_basic",
        "has_key_body",
        "is_user_and_password",
        "is_header_value",
    }
    if check is None or check.__name__ not in decodes:
        assert any(finding in engine.names_in(text) for text in made)


def test_every_name_that_is_found_is_in_the_closed_table_and_the_other_way_round() -> None:
    assert frozenset[str]().union(*(d.names for d in DETECTORS)) == set(FINDINGS)


PASSWORD: Final = drawn(12) + "7"


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        ("secret.connection-string", f"postgresql://app:{PASSWORD}@db.acme.net/x?sslmode=require"),
        ("secret.connection-string", f"mongodb+srv://app:{PASSWORD}%40%2F@cluster0.mongodb.net"),
        ("secret.connection-string", f"redis://:{PASSWORD}@10.0.0.3:6379/0"),
        ("secret.connection-string", f"amqps://app:p@{PASSWORD}@mq.acme.net/vhost"),
        ("secret.connection-string", f"jdbc:postgresql://db:5432/x?user=app&password={PASSWORD}"),
        ("secret.connection-string", f"jdbc:sqlserver://db:1433;databaseName=x;user=sa;password={PASSWORD};"),
        ("secret.connection-string", f"jdbc:oracle:thin:app/{PASSWORD}@db:1521:xe"),
        ("secret.connection-string", f"Driver={{ODBC Driver 18}};Server=db;Uid=sa;Pwd={PASSWORD};"),
        ("secret.connection-string", f"host=db user=app dbname=x password={PASSWORD}"),
        ("secret.authorization", f"curl -su admin:{PASSWORD} https://acme.net".replace("-su", "-s -u")),
        ("secret.authorization", f"curl -H 'X-Api-Key: {PASSWORD}' https://acme.net"),
        ("secret.authorization", "curl -H 'Authorization: Basic " + base64.b64encode(b"browser:pass").decode() + "'"),
        ("secret.netrc", f"machine acme.net\n  login ana\n  password {PASSWORD}\n"),
        ("secret.pgpass", f"db.acme.net:5432:orders:app:{PASSWORD}\n"),
        ("secret.npm", f"//npm.acme.net/:_authToken={drawn(36)}"),
        ("secret.docker", '{"auths": {"acme.net": {"auth": "' + base64.b64encode(b"ana:" + PASSWORD.encode()).decode() + '"}}}'),
        ("secret.password-hash", "ana:$" + "apr1$" + drawn(8) + "$" + drawn(22)),
        ("secret.password-hash", "$" + "2b$12$" + drawn(53)),
        ("secret.kubernetes", "apiVersion: v1\nkind: Secret\ndata:\n  password: " + base64.b64encode(PASSWORD.encode()).decode()),
        ("secret.kubernetes", '{"kind": "Secret",\n "data": {"password": "' + base64.b64encode(PASSWORD.encode()).decode() + '"}}'.replace('{"kind"', '{\n"kind"')),
        ("private-key.der", "MIIEowIBAAKCAQEA" + drawn(120)),
        ("private-key.der", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + drawn(120)),
        ("private-key.der", "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" + drawn(60)),
        ("private-key.pkcs12", "MIIKZAIBAzCCCh4G" + drawn(120)),
        ("secret.assigned", f'<apiToken>{drawn(32)}</apiToken>'),
        ("secret.assigned", f'"clientSecret": "{drawn(24)}"'),
        ("secret.assigned", f"db_password: >\n  {drawn(24)}"),
        ("secret.assigned", "DB_PASSWORD=" + "Tr0ub4dor-3x"),
        ("secret.assigned", f"cloudflare: {drawn(40)}"),
    ],
)  # fmt: skip
def test_a_credential_in_its_place_is_found(finding: str, text: str) -> None:
    assert finding in secrets(text)


def test_a_token_in_base64_once_more_is_found() -> None:
    inner = ".".join(
        base64.urlsafe_b64encode(p).decode().rstrip("=")
        for p in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1"}', b"x" * 32)
    )
    assert "secret.jwt" in secrets(base64.b64encode(inner.encode()).decode())


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:${PASSWORD}@db/x",
        "https://user:hunter2@example.com/path",
        "jdbc:postgresql://db/x?password=<password>",
        "Server=db;User Id=sa;Password={0};",
        "machine acme.net login ana password <password>",
        'apiVersion: v1\nkind: Secret\ndata:\n  password: ""\n---\nkind: ConfigMap\ndata:\n  x: YWJjZGVmZ2hpams=',
        "-----BEGIN RSA PRIVATE KEY-----\nkey omitted for security reasons, see 0123456789abcdef0123456789abcdef",
        "kind: ConfigMap\ndata:\n  x: YWJjZGVmZ2hpams=\n---\nkind: Secret\nmetadata:\n  name: x",
        'send(api_token, "9f86d081884c7d65f1a2")',
        'api_token("9f86d081884c7d65f1a2")',
        "next_page_token = 'Cj8KEwjx9f3G1aB2c3D4e5F6g7H8'",
        "idempotency_key_hash: 9f86d081884c7d659a2feaa0c55ad015",
        '"AWS::IAM::AccessKey": "62d91b17309e76c8"',
        "max_token_count=12345678901234567890",
        "passwd.1, man/fr/usermod.8, man/hu/chfn.1",
        "hf_requiredCharacteristicTypesForDisplayMetadata",
        "token = tokenizer.encode_batch2(texts_1_day)",
    ],
)
def test_what_stands_in_the_place_of_a_credential_is_left_alone(text: str) -> None:
    assert secrets(text) == set()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("api_key", True),
        ("apiKey", True),
        ("AWS_SECRET", True),
        ("dbPassword", True),
        ("client-secret", True),
        ("githubToken2", True),
        ("key", False),
        ("public_key", False),
        ("keyId", False),
        ("token_url", False),
        ("csrf_token", False),
        ("monkey", False),
        ("secretName", False),
        ("primaryKey", False),
        ("tokens", False),
    ],
)
def test_a_label_names_a_secret_or_takes_it_back(label: str, expected: bool) -> None:
    assert names_a_secret(label) is expected


@given(st.lists(st.sampled_from(["db", "password", "old", "api", "key", "x2"]), min_size=1, max_size=4))
@settings(max_examples=40)
def test_a_label_is_read_alike_in_every_spelling(words: list[str]) -> None:
    camel = words[0] + "".join(w.capitalize() for w in words[1:])
    assert snake(camel) == snake("_".join(words)) == snake("-".join(words)) == snake("_".join(words).upper())


@pytest.mark.parametrize("literal", ["akia", "Ghp_", "AIZA"])
def test_a_literal_in_another_spelling_asks_nobody(literal: str) -> None:
    asked = {n for d in built_in()._asked(f"see {literal} here".encode()) for n in d.names}
    assert not asked & {"secret.aws", "secret.github", "secret.gcp"}


def test_a_literal_at_the_seam_of_two_pieces_is_seen() -> None:
    key = "ghp_" + drawn(36)
    for before in range((1 << 18) - 6, (1 << 18) + 3):
        assert secrets(" " * before + key) == {"secret.github"}


def test_a_literal_that_is_spelled_otherwise_again_and_again_is_looked_at_no_more() -> None:
    """Then who asks for it looks itself, so the key behind a thousand others is not missed."""
    flood = "ghP_ " * 5_000
    assert secrets(flood) == set()
    assert {"secret.github"} == secrets(flood + "ghp_" + drawn(36))
    assert any("secret.github" in d.names for d in built_in()._asked(flood.encode()))


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("", ""),
        ("    ", ""),
        ("\t", ""),
        ("> ", ""),
        (">     ", ""),
        ("# ", ""),
        ('"', '\\n"'),
        ('  "', '" +'),
    ],
)
@pytest.mark.parametrize(
    "head", ["MIIEowIBAAKCAQEA", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "MHcCAQEEI", "MIIKZAIBAzCCCh4G"]
)
def test_a_key_without_armour_is_found_however_its_lines_are_set_off(
    head: str, before: str, behind: str, width: int
) -> None:
    body = head + drawn(160)
    lines = "\n".join(before + body[at : at + width] + behind for at in range(0, len(body), width))
    assert secrets(f"the key:\n{lines}\n") & {"private-key.der", "private-key.pkcs12"}


def test_a_key_in_words_is_none() -> None:
    assert (
        secrets("MIIEowIBAAKCAQEA is how it begins\n    and so on, in lines of sixty-four characters")
        == set()
    )


def test_a_key_in_json_in_a_string_is_found() -> None:
    inner = json.dumps({"kty": "EC", "crv": "P-256", "d": drawn(43)})
    assert "private-key.jwk" in secrets(json.dumps({"key": inner}))
    assert "private-key.jwk" in secrets('id,key\n1,"' + inner.replace('"', '""') + '"\n')
