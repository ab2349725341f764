"""What the campaign's sidecar is told: policies that differ in what they allow, one that is broken, deployments.

In come the ports of the recorders; out go texts of files and, for the judges, the programs that they mean. The one idea:
each policy and each placing of the targets has a name, so that a judge can ask which of them were in force at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

from policyd.pipeline import Ready, compile_policy

__all__ = [
    "BROKEN", "CALLERS", "LARGEST_BODY", "ONWARD", "PLACES", "POLICIES", "UNREACHABLE", "Placing", "compiled", "deployment", "placings",
]  # fmt: skip

CALLERS: Final[Mapping[str, str]] = {
    "search": "key-of-search-6f1d9e0b7c",
    "ads": "key-of-ads-0a4c8b2e9d",
    "blocked": "key-of-blocked-93fe11d2aa",
}
"""Team to API key."""

PLACES: Final = ("rack", "den", "loft", "nimbus", "cirrus", "stratus", "broker")
"""Recorders, by the target that is bound to each at first."""

UNREACHABLE: Final = ("ghost", "attic")
"""Targets behind which nobody is: a name that does not resolve, and a port where nobody listens."""

ONWARD: Final = frozenset({"broker"})
LARGEST_BODY: Final = 2 * 1024 * 1024

_ALL: Final = "speaks chat, completions, responses, embeddings, messages  supports tools, json, images, reasoning, stored"

_POLICY: Final = """
edition 1

level  sensitivity {{ internal < confidential }}
enum   speed  {{ interactive, batch }}  from header "x-speed"   unknown interactive
string ticket                         from header "x-ticket"  unknown "none"
string team                           from identity           unknown reject

classify sensitivity {{
    starts at internal
    at least header "x-data-class"
    at least confidential  when opaque or findings contains any {{ "secret", "private-key", "card-number", "iban" }}
}}

target rack     {{ location on_prem  region eu  context 1M    {all} }}
target den      {{ location on_prem  region eu  context 32k   speaks chat, completions, messages, embeddings, responses }}
target loft     {{ location on_prem  region eu  context 1M    {loft} }}
target nimbus   {{ location cloud    region eu  context 1M    {all} }}
target cirrus   {{ location cloud    region us  context 200k  {all} }}
target stratus  {{ location cloud    region us  context 1M    {stratus} }}
target broker   {{ location cloud    region us  context 1M    {all}  onward yes }}
target ghost    {{ location cloud    region us  context 1M    {all} }}
target attic    {{ location cloud    region us  context 1M    {all} }}

guard stays_home  only location == on_prem  when sensitivity >= confidential  because "confidential data stays on our hardware"
{guards}
deny  no_blocked  when team == "blocked"  because "this team has no contract"

{routes}
otherwise reject "no target may serve this request"

assert confidential_stays_home  never location == cloud  when sensitivity >= confidential
"""

_ROUTES: Final = """
route batch  to any {{ nimbus, cirrus }}, broker, den, rack                      when speed == batch
route ads    to ghost, split {{ nimbus 50, cirrus 30, rack 20 }} by ticket, den  when team == "ads"
route words  to stratus, fastest {{ cirrus, nimbus }}, loft, rack                when endpoint == messages or endpoint == count_tokens
route rest   to cirrus, attic, nimbus, stratus, loft, den, rack
""".replace("{{", "{").replace("}}", "}")

_OTHER_ROUTES: Final = """
route batch  to broker, cirrus                                                when speed == batch
route ads    to cheap, rack                                                   when team == "ads"
route rest   to any { nimbus, rack }, loft, attic, cirrus, den
""".replace("cheap", "any { nimbus, cirrus }")


def _policy(guards: str = "", routes: str = _ROUTES) -> str:
    return _POLICY.format(
        all=_ALL,
        loft="speaks chat  translates messages, responses  supports tools, json, images, reasoning",
        stratus="speaks messages  translates chat  supports tools, json, images, reasoning",
        guards=guards,
        routes=routes,
    )


POLICIES: Final[Mapping[str, str]] = {
    "open": _policy(),
    "lockdown": _policy(
        'guard lockdown  only location == on_prem  when team == "ads"  because "under investigation"\n'
        'guard no_cirrus  forbid target == cirrus  because "no contract any more"'
    ),
    "european": _policy('guard residency  only region == eu  because "residency"'),
    "rerouted": _policy(routes=_OTHER_ROUTES),
}

BROKEN: Final[Mapping[str, str]] = {
    "a route that leads nowhere": _policy(routes=_ROUTES.replace("loft, den, rack", "loft, den, rakc")),
    "an assertion that does not hold": _policy().replace("never location == cloud ", "never region == eu "),
    "half of it": _policy()[: len(_policy()) // 2],
}


@dataclass(frozen=True, slots=True)
class Placing:
    """Which recorder each target is bound to, and how long it may stay silent."""

    at: Mapping[str, str]
    patience: str = "1500ms"

    def target_at(self, place: str) -> str:
        return next(target for target, where in self.at.items() if where == place)


def placings() -> Mapping[str, Placing]:
    """In the second, a place of the cloud and one of our own have changed hands: what was sent to the old owner of a
    place must never arrive after the new one has it, and the other way round."""
    usual = {place: place for place in PLACES}
    return {
        "usual": Placing(usual),
        "swapped": Placing(usual | {"rack": "nimbus", "nimbus": "rack", "cirrus": "den", "den": "cirrus"}),
        "patient": Placing(usual, "1700ms"),
    }


def deployment(
    placing: Placing,
    ports: Mapping[str, int],
    *,
    listen: int,
    admin: int,
    closed: int,
    collector: int,
    log: str,
    extra: str = "",
) -> str:
    """The text of a `policyd.toml`. `closed` is a port where nobody listens."""
    keys = "\n".join(
        f'[[identity.keys]]\nsha256 = "{sha256(key.encode()).hexdigest()}"\nteam = "{team}"' for team, key in CALLERS.items()
    )  # fmt: skip
    urls = {target: f"http://127.0.0.1:{ports[place]}" for target, place in placing.at.items()}
    urls["cirrus"] = urls["cirrus"].replace("127.0.0.1", "localhost")
    urls |= {"ghost": "https://nobody.invalid:9", "attic": f"http://127.0.0.1:{closed}"}
    tables = "\n".join(_table(name, url, placing.patience) for name, url in urls.items())
    return f"""
policy = "campaign.policy"
[listen]
port = {listen}
[admin]
port = {admin}
[limits]
body = {LARGEST_BODY}
unread = "5s"
body_time = "4s"
[identity]
kind = "api-keys"
{keys}
[log]
path = "{log}"
[telemetry]
endpoint = "http://127.0.0.1:{collector}"
interval = "1s"
sample_ratio = 1.0
{extra}
{tables}
"""


_MORE: Final[Mapping[str, str]] = {
    "broker": 'model = "pinned"\n',
    "den": 'max_connections = 6\nload = { max_in_flight = 5, queue = 4, queue_timeout = "300ms" }\n',
    "cirrus": 'health = { path = "/health", interval = "1s", timeout = "500ms" }\n',
    "rack": 'health = { path = "/health", interval = "1s", timeout = "500ms", unhealthy_after = 2, healthy_after = 1 }\n',
    "stratus": 'load = { requests_per_minute = 900, max_bytes = "2MiB" }\n',
}
"""What else the tables of some targets say. Probes of a place are answered well three times of four."""


def _table(name: str, url: str, patience: str) -> str:
    dialects = {"loft": '["openai"]', "stratus": '["anthropic"]'}.get(name, '["openai", "anthropic"]')
    return (
        f'[targets.{name}]\nurl = "{url}"\ndialects = {dialects}\nconnect_timeout = "1s"\n'
        f'first_byte_timeout = "{patience}"\nidle_timeout = "{patience}"\ntotal_timeout = "9s"\n{_MORE.get(name, "")}'
        # Among so many faults every breaker would be open most of the time, and nothing would arrive.
        f'breaker = {{ open = "500ms" }}\n'
    )


def compiled(folder: Path, policies: Mapping[str, str] = POLICIES) -> dict[str, Ready]:
    """Every policy by its name, compiled here for the judges."""
    out = {}
    for name, text in policies.items():
        path = folder / f"{name}.policy"
        path.write_text(text)
        ready = compile_policy(path, today=date.today())
        assert isinstance(ready, Ready), f"{name}: {[d.message for d in ready.diagnostics]}"
        out[name] = ready
    assert len({ready.digest for ready in out.values()}) == len(out)
    return out
