"""Ways of writing that stand for the same: connection strings, manifests, card numbers. Each is found, to the character, and what
only looks like it is left alone."""

import base64
import json
import random
import string

import pytest

from policyd.detect.scanner import Scanner


def letters(count: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 7) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(count))


def values(text: str, name: str) -> set[str]:
    return {text[span.start : span.end] for span in Scanner().spans(text) if span.name == name}


CONNECTIONS = [
    ('Server=db.corp;User Id=sa;Password="a;b;Cd9!xyz";', "a;b;Cd9!xyz"),
    ("Server=db.corp;User Id=sa;Password='a;b;Cd9!xyz';", "a;b;Cd9!xyz"),
    ('{"db": "Server=db.corp;User Id=sa;Password=\\"a;b;Cd9!xyz\\";"}', "a;b;Cd9!xyz"),
    ("Password=Xy12kkZ9p;Server=db.corp;User Id=sa", "Xy12kkZ9p"),
    ("Pwd=Xy12kkZ9p;Encrypt=yes;Uid=sa;Server=db.corp", "Xy12kkZ9p"),
    ("host=db.corp dbname=x user=bob password='Xy12 kkZ9p'", "Xy12 kkZ9p"),
    ("password='Xy12 kkZ9p' user=bob host=db.corp", "Xy12 kkZ9p"),
    ("postgres://bob:Xy12kk'Zz98!longer@db.corp.net/app", "Xy12kk'Zz98!longer"),
    ("postgres://bob:Xy12kkZz98@db.corp.net/app", "Xy12kkZz98"),
]


@pytest.mark.parametrize(("text", "password"), CONNECTIONS)
@pytest.mark.parametrize("around", ["%s", "it is %s\nand so on", "x = `%s`"])
def test_a_password_in_a_connection_string_is_found(text: str, password: str, around: str) -> None:
    assert password in values(around % text, "secret.connection-string")


@pytest.mark.parametrize(
    "text",
    [
        'conn = "Server=" + host + ";User Id=sa;Password=" + password + ";Encrypt=yes"',
        'conn = "Server="+host+";User Id=sa;Password="+password+";Encrypt=yes"',
        'conn = "Server=db;User Id=sa;Password=\'" + password + "\';Encrypt=yes"',
        'conn = $"Server={host};User Id=sa;Password=\\"{password}\\";"',
        '{"dsn": "Server=db;User Id=sa;Password=", "pool": "Xy12kkZ9p"}',
        'sql = "host=" || host || " password=\'" || pw || "\'"',
        "dsn = f\"host={host} user={user} password='{password}'\"",
        "\"host=%s user=%s password='%s'\" % (host, user, password)",
        "psql 'host=db user=bob password='\"$PGPASSWORD\"''",
        'connect(host="db", user="bob", password="correct horse")',
        "password=get_password(); server=connect()",
        "Password=<password>;Server=db.corp;User Id=sa",
        "url = 'http://host:'+port+'@x'",
        "['http://host:8080','me@example']",
        "{'a':'http://host:80','b':'me@x.org'}",
    ],
)
def test_code_that_puts_a_connection_string_together_holds_no_password(text: str) -> None:
    assert values(text, "secret.connection-string") == set()


def test_a_google_token_of_a_service_is_found_whole() -> None:
    for token in ("ya29.c.b0" + letters(60), "ya29.a0" + letters(60)):
        assert values(f"token {token}, and", "secret.gcp") == {token}
    assert values("ya29. is how they begin, ya29.c.short too", "secret.gcp") == set()


DATA = base64.b64encode(b"Correct horse battery").decode()
MANIFESTS = [
    json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": DATA}}),
    json.dumps({"kind": "Secret", "data": {"a": DATA}, "apiVersion": "v1"}, separators=(",", ":")),
    "log: " + json.dumps(json.dumps({"apiVersion": "v1", "kind": "Secret", "data": {"a": DATA}})),
    f"kind: Secret # prod\napiVersion: v1\ndata:\n  pw: {DATA}\n",
    f"apiVersion: v1\nkind: Secret\ndata: {{pw: {DATA}}}\n",
    f"apiVersion: v1\nkind: Secret\ndata: {{user: x, pw: '{DATA}', n: 1}}\n",
    f"- kind: Secret\n  data:\n    pw: {DATA}\n",
]


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_manifest_of_a_secret_is_found(text: str) -> None:
    assert "secret.kubernetes" in Scanner().scan([text])


@pytest.mark.parametrize(
    "text",
    [
        *(text.replace("Secret", "ConfigMap") for text in MANIFESTS),
        json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {}}),
        json.dumps({"kind": "secret", "data": {"title": "abcdefghijkl"}}),
        json.dumps({"kind": "Secret", "data": {"title": "abcdefghijkl"}}),
        "kind: Secret # of which the data is elsewhere\napiVersion: v1\nmetadata: {name: abcdefghijkl}\n",
        "kind: Secret garden\ndata: {pw: abcdefghijkl}\n",
    ],
)
def test_what_is_no_manifest_of_a_secret_is_left_alone(text: str) -> None:
    assert "secret.kubernetes" not in Scanner().scan([text])


GROUPED = [
    "4012 - 8888 - 8888 - 1881",
    "4012_8888_8888_1881",
    "4012*8888*8888*1881",
    "4012** 8888** 8888** 1881",
]


@pytest.mark.parametrize("number", GROUPED)
def test_a_card_in_odd_groups_is_found_near_a_word_for_it(number: str) -> None:
    assert values(f"credit card {number} of his", "card-number") == {number}


@pytest.mark.parametrize("number", GROUPED)
def test_numbers_in_odd_groups_are_no_card_without_a_word_or_with_another_digit(number: str) -> None:
    assert values(f"these are {number} of his", "card-number") == set()
    assert values(f"credit card {number[:-1]}2 of his", "card-number") == set()


def test_sums_and_spans_near_a_word_about_cards_are_no_cards() -> None:
    text = "credit for 2010 - 2011, 12 * 34 * 56 * 78 and 1_000_000 - 2_000_000 - 3_500_000 of payment 2019-2020 - 2021\n"
    assert values(text * 9, "card-number") == set()
