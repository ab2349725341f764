"""Where a sidecar connects to: every place of a deployment, once, with where its addresses may lie."""

import ipaddress
from pathlib import Path

from policyd.deploy.egress import Egress, Exit, egress_of
from policyd.deploy.read import read_deployment

TEXT = """\
policy = "x"
on_prem_networks = ["10.1.0.0/16"]

[[identity]]
kind = "jwt"
issuer = "https://login.example"
audience = "policyd"
jwks = { url = "https://login.example/keys" }
[[identity]]
kind = "jwt"
issuer = "https://two.example"
audience = "policyd"
jwks = { url = "https://api.example:8443/keys" }

[targets.rack]
url = "https://gpu.internal:8443"
dialects = ["openai"]
[targets.literal]
url = "http://10.1.0.7:8000"
dialects = ["openai"]
[targets.here]
url = "http://127.0.0.1:11434"
dialects = ["openai"]
[targets.also_here]
url = "http://localhost:11434"
dialects = ["openai"]
[targets.socket]
url = "unix:/run/model.sock"
dialects = ["openai"]
[targets.cloud]
url = "https://api.example"
dialects = ["anthropic"]
[targets.cloud_again]
url = "https://api.example/other"
dialects = ["anthropic"]
private_networks = ["10.8.0.0/24"]
[targets.six]
url = "https://[2606:2800:220:1::1]"
dialects = ["openai"]

[telemetry]
endpoint = "http://otel.internal:4318"
"""
ON_PREM = frozenset({"rack", "literal", "here", "also_here", "socket"})
RACK, LINK = ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("10.8.0.0/24")


def egress(folder: Path, text: str = TEXT) -> Egress:
    (folder / "policyd.toml").write_text(text)
    loaded = read_deployment(folder / "policyd.toml", {})
    assert loaded.deployment is not None, [d.message for d in loaded.diagnostics]
    return egress_of(loaded.deployment, ON_PREM)


def test_every_place_is_there_once(tmp_path: Path) -> None:
    assert egress(tmp_path) == Egress(
        (
            Exit("10.1.0.7", 8000, "networks", (RACK,), ("target literal",)),
            Exit("127.0.0.1", 11434, "this machine", (), ("target here",)),
            Exit("2606:2800:220:1::1", 443, "internet", (), ("target six",)),
            Exit("api.example", 443, "internet", (LINK,), ("target cloud", "target cloud_again")),
            Exit("api.example", 8443, "anywhere", (), ("keys of https://two.example",)),
            Exit("gpu.internal", 8443, "networks", (RACK,), ("target rack",)),
            Exit("localhost", 11434, "this machine", (), ("target also_here",)),
            Exit("login.example", 443, "anywhere", (), ("keys of https://login.example",)),
            Exit("otel.internal", 4318, "anywhere", (), ("telemetry",)),
        ),
        (("/run/model.sock", ("target socket",)),),
    )


def test_what_has_to_be_resolved(tmp_path: Path) -> None:
    assert egress(tmp_path).names == ("api.example", "gpu.internal", "login.example", "otel.internal")


def test_a_place_that_is_used_twice_allows_what_both_need(tmp_path: Path) -> None:
    shared = TEXT.replace("https://api.example:8443/keys", "https://api.example/keys")
    (found,) = [e for e in egress(tmp_path, shared).exits if e.host == "api.example"]
    assert (found.where, found.networks) == ("anywhere", (LINK,))
    assert len(found.used_for) == 3


def test_an_address_is_shown_as_a_url_shows_it(tmp_path: Path) -> None:
    assert {e.shown for e in egress(tmp_path).outside} >= {"[2606:2800:220:1::1]:443", "gpu.internal:8443"}
