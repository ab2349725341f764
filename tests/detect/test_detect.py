"""Detectors: what each finds, what it must leave alone, how it is evaded, and that its work is bounded."""

import base64
import json
import random
import string
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.detect.cards import is_card, luhn
from policyd.detect.detector import MOST_CANDIDATES, Hit, candidates, compiled
from policyd.detect.engine import Engine
from policyd.detect.patterns import PATTERNS
from policyd.detect.scanner import DetectorFailed, Scanner, known_findings, scan
from policyd.detect.visible import visible


def found(*texts: str) -> set[str]:
    return set(Scanner().scan(texts))


def letters(count: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 7) -> str:
    """Characters that look drawn at random, the same on every run. Written out, they would be secrets in a repository."""
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(count))


HEX = "0123456789abcdef"
BODY = "MIIEowIBAAKCAQEA" + letters(48)
WORD = string.ascii_letters + string.digits + "_"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890"}', b"0123456789abcdef0123456789abcdef")
)

SECRETS = [
    ("private-key.pem", f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"),
    ("private-key.pem", f"-----BEGIN PRIVATE KEY-----\\n{BODY}\\n"),
    ("private-key.pem", f"-----BEGIN EC PRIVATE KEY-----\r\n{BODY}"),
    ("private-key.pem", f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{BODY}"),
    ("private-key.pem", f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{BODY}"),
    ("private-key.pem", "the rest was cut off: -----BEGIN RSA PRIVATE KEY-----\n"),
    ("private-key.pem", "client-key-data: " + base64.b64encode(f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}".encode()).decode()),
    ("private-key.openssh", f"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA{BODY}"),
    ("private-key.pgp", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{BODY}"),
    ("private-key.putty", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none"),
    ("private-key.jwk", '{"kty":"EC","crv":"P-256","d":"' + letters(43) + '"}'),
    ("private-key.age", "AGE-SECRET-KEY-1" + letters(58, "02345679ACDEFGHJKLMNPQRSTUVWXYZ")),
    ("private-key.wireguard", "PrivateKey = " + letters(43) + "="),
    ("secret.aws", "AKIA" + letters(16, string.ascii_uppercase + "234567")),
    ("secret.aws", "export AWS_SECRET_ACCESS_KEY=" + letters(40)),
    ("secret.aws", '{"SecretAccessKey": "' + letters(40) + '"}'),
    ("secret.gcp", "key=AIza" + letters(35)),
    ("secret.gcp", "GOCSPX-" + letters(28)),
    ("secret.azure", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + letters(86) + "=="),
    ("secret.azure", "a1B8Q~" + letters(34)),
    ("secret.alibaba", "LTAI" + letters(20)),
    ("secret.digitalocean", "dop_v1_" + letters(64, HEX)),
    ("secret.vault", "hvs." + letters(24)),
    ("secret.databricks", "dapi" + letters(32, HEX)),
    *(("secret.github", prefix + letters(36)) for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    ("secret.github", "github_pat_" + letters(22) + "_" + letters(59)),
    ("secret.gitlab", "glpat-" + letters(20)),
    ("secret.atlassian", "ATATT3" + letters(180)),
    ("secret.npm", "//registry/:_authToken=npm_" + letters(36)),
    ("secret.pypi", "pypi-AgEIcHlwaS5vcmc" + letters(60)),
    ("secret.docker", "dckr_pat_" + letters(27)),
    ("secret.openai", "sk-proj-" + letters(80, WORD)),
    ("secret.openai", "sk-" + letters(20) + "T3BlbkFJ" + letters(20)),
    ("secret.anthropic", "ANTHROPIC_API_KEY=sk-ant-api03-" + letters(93, WORD) + "AA"),
    ("secret.openrouter", "sk-or-v1-" + letters(64, HEX)),
    ("secret.model-api", "DASHSCOPE_API_KEY=sk-" + letters(32, HEX)),
    ("secret.model-api", "gsk_" + letters(52)),
    ("secret.huggingface", "HF_TOKEN=hf_" + letters(34, string.ascii_letters)),
    ("secret.slack", "xoxb-" + letters(12, string.digits) + "-" + letters(12, string.digits) + "-" + letters(24)),
    ("secret.slack", "https://hooks.slack.com/services/T" + letters(8) + "/B" + letters(10) + "/" + letters(24)),
    ("secret.discord", "https://discord.com/api/webhooks/123456789012345678/" + letters(68)),
    ("secret.telegram", "bot 123456789:AA" + letters(33)),
    ("secret.stripe", "sk_live_" + letters(24)),
    ("secret.stripe", "rk_test_" + letters(24)),
    ("secret.shopify", "shpat_" + letters(32, HEX)),
    ("secret.twilio", "SK" + letters(32, HEX)),
    ("secret.sendgrid", "SG." + letters(22) + "." + letters(43)),
    ("secret.mailgun", "key-" + letters(32, HEX)),
    ("secret.grafana", "glsa_" + letters(32) + "_" + letters(8, HEX)),
    ("secret.newrelic", "NRAK-" + letters(27, string.ascii_uppercase + string.digits)),
    ("secret.jwt", f"Cookie: session={JWT}"),
    ("secret.connection-string", "DATABASE_URL=postgres://app:" + letters(14) + "@db.internal:5432/app"),
    ("secret.connection-string", "mongodb+srv://app:" + letters(14) + "@cluster0.mongodb.net/x"),
    ("secret.connection-string", "redis://:" + letters(14) + "@10.0.0.3:6379/0"),
    ("secret.connection-string", "Server=db;Database=x;User Id=sa;Password=" + letters(14) + ";"),
    ("secret.authorization", "curl -H 'Authorization: Bearer " + letters(40) + "'"),
    ("secret.assigned", 'client_secret: "' + letters(32) + '"'),
    ("secret.assigned", "DB_PASSWORD=" + letters(20)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "text"), SECRETS, ids=[f"{i} {name}" for i, (name, _) in enumerate(SECRETS)]
)
def test_a_secret_is_found(finding: str, text: str) -> None:
    assert finding in found(text)
    assert finding in found(f"please look at this:\n{text}\nthanks")


def test_every_pattern_can_be_compiled_and_names_what_a_policy_may_ask_for() -> None:
    for pattern in PATTERNS:
        assert compiled(pattern.expression) is not None
        assert pattern.finding.split(".")[0] in {"secret", "private-key"}
        assert all(keyword == keyword.lower() for keyword in pattern.keywords)
    assert {"card-number", "iban", "secret.aws", "private-key.pem", "national-id.us-ssn"} <= known_findings()


@pytest.mark.parametrize(
    "text",
    [
        "see -----BEGIN PRIVATE KEY----- in the documentation of the file format; it is followed by a line of base64",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
        "postgres://user:password@localhost/db",
        "postgres://${DB_USER}:${DB_PASSWORD}@db/x",
        "https://example.com:8080/path@x",
        "git@github.com:owner/repo.git",
        "password: str = Field(description='The password of the user')",
        "api_key=os.environ['OPENAI_API_KEY']",
        "api_key = 'your-api-key-goes-here-0001'",
        "token = get_access_token(client, 2024)",
        "token_type=_X509_SUBJECT_TOKEN_TYPE, tokens=batch_1_day_max_input_tokens",
        "Authorization: Bearer <token>",
        "Authorization: Bearer $ANTHROPIC_API_KEY",
        "sk-learn-contrib and task-force-one-two-three-four",
        "the secret of the password manager is the key to the token",
        "AKIAfoo and ASIAN markets",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "id: 123e4567-e89b-12d3-a456-426614174000",
        "eyJhbGci is how a token starts",
        "max_tokens: 4096, total_tokens=1234567890123456789",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    ],
)
def test_what_only_looks_like_a_secret_is_left_alone(text: str) -> None:
    assert found(text) == set()


CARDS = [
    "4111111111111111",
    "5500005555555559",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "2223003122003222",
    "6200000000000005",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("sep", ["", " ", "-", "."])
def test_a_card_is_found_however_it_is_grouped(card: str, sep: str) -> None:
    groups = (
        [card[:4], card[4:10], card[10:]] if len(card) == 15 else [card[i : i + 4] for i in range(0, 16, 4)]
    )
    assert found("it is " + sep.join(groups) + ", thanks") == {"card-number"}


@pytest.mark.parametrize(
    "text",
    [
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "41 11 11 11 11 11 11 11",
        "7777 4111 1111 1111 1111",
        "4111 1111 1111 1111 5500 0055 5555 5559",
        "my card: 41111 11111 111111",
        "cards 4111 1111 1111 1111" + " 2000 3000" * 20,
        "VISA 4222222222222",
        "pan=4000000000000000006",
        '{"number":4111111111111111,"cvc":123}',
        "４１１１ １１１１ １１１１ １１１１",
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20111111\u20111111",
        "4111\u200b1111\u200b1111\u200b1111",
    ],
)
def test_a_card_is_found_in_disguise(text: str) -> None:
    assert "card-number" in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "0.4111111111111111",
        "4111111111111111.5",
        "1000 2000 3000 4111 1111 1111 1111 4000 5000 6000 7000 8000",
        "1.4111111111111111e5",
        "a4111111111111111",
        "4111111111111111_x",
        "41111111111111110000",
        "1234567812345670",
        "0000 0000 0000 0000",
        "1700000000000000000",
        "2026-11-20 09.54.06.123",
        "192.168.100.100 10.0.0.1",
        "3.141592653589793 2.718281828459045",
        "4222222222222",
        "id 550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_other_numbers_are_not_cards(text: str) -> None:
    assert "card-number" not in found(text)


def test_numbers_of_programs_are_not_cards() -> None:
    rng = random.Random(3)
    floats = json.dumps([rng.random() for _ in range(20_000)])
    times = json.dumps(
        [{"t": 1_760_000_000_000_000 + i * 977, "x": rng.uniform(-1e6, 1e6)} for i in range(10_000)]
    )
    table = "\n".join(" ".join(f"{rng.random():.4f}" for _ in range(16)) for _ in range(1_000))
    years = " ".join(str(rng.randint(1900, 2100)) for _ in range(5_000))
    for text in (floats, times, table, years):
        assert "card-number" not in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111\t1111\t1111\t1111",
        "4111\n1111\n1111\n1111",
        "4111\r\n1111\r\n1111\r\n1111\r\n",
        "[4111,1111,1111,1111]",
        "[ 4111, 1111, 1111, 1111 ]",
        '{"n":["4111","1111","1111","1111"]}',
        "3782, 822463, 10005",
        "card: 4111,1111,1111,1111,2027",
        "\uff14\uff11\uff11\uff11" + "\uff11" * 12,
        "\u2074" + "\u00b9" * 15,
        "\u096a" + "\u0967" * 15,
        "\U0001d7d2" + "\U0001d7cf" * 15,
    ],
)
def test_a_card_is_found_in_columns_lists_and_other_digits(text: str) -> None:
    assert found(text) == {"card-number"}


@pytest.mark.parametrize(
    "text",
    ["1000,4111,1111,1111,1111,2000", "4111\n1111\n1111\n1111\n1111\n1111\n", "[4111,1111,1111,1112]", "4111,11111,111,1111"],
)  # fmt: skip
def test_tables_of_numbers_are_not_cards(text: str) -> None:
    assert found(text) == set()


@given(st.integers(10**14, 10**15 - 1))
def test_luhn_accepts_exactly_one_last_digit(prefix: int) -> None:
    assert sum(luhn(f"{prefix}{digit}") for digit in range(10)) == 1


def test_a_card_needs_its_issuers_length() -> None:
    assert is_card("4111111111111111")
    assert not is_card("41111111111111")
    assert not is_card("378282246310005"[:13])


IBANS = [
    "DE89370400440532013000",
    "GB29NWBK60161331926819",
    "FR1420041010050500013M02606",
    "ES9121000418450200051332",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "CH9300762011623852957",
]


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_is_found(iban: str) -> None:
    grouped = " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))
    for text in (
        iban,
        iban.lower(),
        grouped,
        grouped.replace(" ", "-"),
        f"Pay {grouped} BIC COBADEFF",
        f'"{iban}"',
    ):
        assert found(text) == {"iban"}


@pytest.mark.parametrize(
    "text",
    [
        "DE88370400440532013000",
        "DE8937040044053201300",
        "XX89370400440532013000",
        "aDE89370400440532013000",
        "de89abcdef0123456789ab",
    ],
)
def test_other_strings_are_not_ibans(text: str) -> None:
    assert "iban" not in found(text)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        ("national-id.us-ssn", "my number is 536-90-4399"),
        ("national-id.us-ssn", "SSN 536904399"),
        ("national-id.es-dni", "DNI 54362315K"),
        ("national-id.es-nie", "X2482300W"),
        ("national-id.it-cf", "RCCMNL83S18D969H"),
        ("national-id.fr-nir", "numéro NIR : 2 95 10 99 126 111 93"),
        ("national-id.br-cpf", "390.533.447-05"),
        ("national-id.pl-pesel", "PESEL 44051401359"),
        ("national-id.nl-bsn", "BSN 111222333"),
        ("national-id.in-aadhaar", "Aadhaar 2341 2341 2346"),
        ("national-id.gb-nino", "National Insurance AB 12 34 56 C"),
    ],
)
def test_a_national_id_is_found(finding: str, text: str) -> None:
    assert finding in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "000-12-3456",
        "536-90-43991",
        "call 555-12-345",
        "order 536904399",
        "54362315K",
        "44051401359",
        "2026-11-2026",
    ],
)
def test_other_numbers_are_not_national_ids(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize(
    "hidden",
    [
        "\u200b",
        "\u00ad",
        "\u2060",
        "\ufeff",
        "\u200d",
        "\u202e",
        "\U000e0041",
        "\U0001d173",
        "\ufff9",
        "\ufffb",
        "\u0085",
        "\x00",
        "\x08",
        "\x0c",
        "\x1b",
        "\x7f",
    ],
)
def test_characters_that_nobody_sees_hide_nothing(hidden: str) -> None:
    key = "ghp_" + letters(36)
    assert found(hidden.join(key)) == {"secret.github"}
    assert hidden.isascii() or visible(hidden.join(key)) == key


def test_visible_text_stays_as_it_is() -> None:
    for text in ("plain", "Größe, naïve, 漢字, café", "emoji 🙂"):
        assert visible(text) == text


@pytest.mark.parametrize(
    ("finding", "flood"),
    [
        ("secret.connection-string", "ab://b:password@c " * (MOST_CANDIDATES + 1)),
        ("secret.jwt", "eyJub25lIjox.eyJub25lIjox.AAAAAAAA " * (MOST_CANDIDATES + 1)),
        ("iban", "DE00 0000 0000 0000 0000 00, " * (MOST_CANDIDATES + 1)),
        ("card-number", "4000000000000000,, " * (MOST_CANDIDATES + 1)),
        ("national-id.us-ssn", "000-00-0000,, " * (MOST_CANDIDATES + 1)),
    ],
)
def test_more_candidates_than_the_cap_count_as_found(finding: str, flood: str) -> None:
    assert finding in found(flood)
    assert finding not in found(flood[: len(flood) // 2])


def test_no_more_candidates_than_the_cap_are_looked_at() -> None:
    asked = 0

    def never(_data: bytes, _start: int, _end: int) -> bool:
        nonlocal asked
        asked += 1
        return False

    pattern = next(p for p in PATTERNS if p.finding == "secret.jwt")
    flood = b"eyJub25lIjox.eyJub25lIjox.AAAAAAAA " * 50_000
    assert list(candidates("x", compiled(pattern.expression), flood, never)) == [Hit("x", 0, len(flood))]
    assert asked == MOST_CANDIDATES


@pytest.mark.parametrize(
    "flood",
    [
        "sk-" * 200_000,
        "1 " * 200_000,
        "4111 " * 100_000,
        "key=" * 100_000,
        "eyJ." * 100_000,
        "-----BEGIN " * 50_000,
        "\u200b" * 200_000,
        "a" * 500_000,
    ],
)
def test_hostile_floods_are_answered(flood: str) -> None:
    assert isinstance(scan([flood]), frozenset)


def test_findings_of_a_text_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner()
    text = "x" * 100 + " ghp_" + letters(36)
    first = scanner.scan([text])

    def broken(_engine: Engine, _data: bytes) -> frozenset[str]:
        raise AssertionError("looked again")

    monkeypatch.setattr(Engine, "names_in", broken)
    assert scanner.scan([text]) == first == {"secret.github"}
    with pytest.raises(DetectorFailed):
        scanner.scan([text + "!"])


def test_an_error_in_a_detector_is_said_and_carries_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_engine: Engine, data: bytes) -> frozenset[str]:
        raise ValueError(data)

    monkeypatch.setattr(Engine, "names_in", broken)
    with pytest.raises(DetectorFailed) as failed:
        Scanner().scan(["the secret text"])
    assert "secret text" not in str(failed.value)


def test_a_scanner_is_shared_between_threads() -> None:
    scanner = Scanner(memo_bytes=50 * 160)
    texts = [f"text number {i} " + ("ghp_" + letters(36) if i % 3 == 0 else "") for i in range(200)]
    results: list[frozenset[str]] = []
    threads = [
        threading.Thread(target=lambda part=texts[i::4]: results.append(scanner.scan(part))) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [frozenset({"secret.github"})] * 4


@given(st.text(max_size=300))
def test_any_text_is_answered_with_known_findings(text: str) -> None:
    assert scan([text]) <= known_findings()


@given(
    st.sampled_from([secret for secret in SECRETS if "cut off" not in secret[1]]),
    st.text(alphabet=" \n\t,.;:()äé漢", max_size=30),
    st.text(alphabet=" \n\t,.;:()äé漢", max_size=30),
)
def test_what_stands_around_a_secret_hides_nothing(secret: tuple[str, str], before: str, after: str) -> None:
    finding, text = secret
    assert finding in found(f"{before} {text}\n{after}")


def test_what_is_remembered_of_many_texts_is_one_object() -> None:
    scanner = Scanner()
    aws = "AKIA" + letters(16, string.ascii_uppercase + "234567")
    scanner.scan(f"a plain text with the number {number}" for number in range(50))
    scanner.scan(f"number {number}: {aws}" for number in range(50))
    answers = {id(found): found for found in scanner._memo._entries.values()}
    assert len(scanner._memo) == 100
    assert sorted(len(found) for found in answers.values()) == [0, 1]
