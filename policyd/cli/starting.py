"""What `policyd init` writes: a policy, its table of tests, and a deployment file, each with comments that teach.

Text only. The three together pass `policyd check --deployment` and `policyd fmt --check` as they stand.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["STARTING_FILES"]

_POLICY: Final = """\
edition 1

# A policy says where a request may go, and where it should go. `policyd check` proves what it asserts; `policyd explain`
# says what it does with one request. The features that every request has (endpoint, tokens, findings, images, …) need no
# line here: `policyd features main.policy` lists all of them.

# What a request is. A header is the caller's own word, so it may choose a route and never loosen a guard.
level  sensitivity  { public < internal < confidential }
string team                                               from identity            unknown reject
enum   latency      { interactive, batch }                from header "x-latency"  unknown interactive

# How sensitive it is: it starts at the first level that fits and is raised by everything below that holds.
classify sensitivity {
    starts at public       when team == "docs"
    starts at internal
    at least header "x-data-class"
    at least confidential  when findings contains any { "secret", "private-key", "card-number", "iban" }
    at least confidential  when opaque
}

# Where it can go. policyd.toml says where each target is and checks that this fits what is said here. Both servers have
# chat completions; requests in Anthropic's API (Claude Code) are translated for them.
target local {
    location    on_prem
    context     32k
    speaks      chat
    translates  messages
    supports    tools, json
}
target cloud {
    location    cloud
    context     128k
    speaks      chat
    translates  messages
    supports    tools, json, images, reasoning
}

# What must never happen. The order does not matter, and a guard always wins over a route.
guard stays_home only location == on_prem
    when sensitivity >= confidential
    because "confidential data stays on our hardware"

# Where it should go: the first route that fits and has an allowed target left.
route batch        to local         when latency == batch
route interactive  to cloud, local
# 400 is what agents take for an answer and show at once; a 403 some of them ask again.
otherwise reject "no model may take this request" status 400

# What we claim about every possible request. `policyd check` proves it or shows a request that breaks it.
let plain = not (images or reasoning or server_tools or stored or remote_content)
assert confidential_stays_home  never location == cloud when sensitivity >= confidential
assert headers_cannot_loosen    claimed never loosens
assert small_chats_are_served   never rejected when endpoint == chat and context_needed <= 32k and plain

# Examples that must hold. cases.csv has more, one in each row.
test "a chat goes to the cloud, with our hardware behind it"
    given { team "search", endpoint chat }
    expect only cloud then local via interactive

test "a pasted key keeps a chat on our hardware"
    given { team "search", endpoint chat, findings { "secret.aws" } }
    expect only local via interactive, removed cloud by stays_home

tests from "cases.csv"
"""

_CASES: Final = '''\
name,team,endpoint,latency,images,findings,"header ""x-data-class""",expect
batch work stays on our hardware,search,chat,batch,,,,local
nobody looks into an image so it may not leave,search,chat,,true,,,rejected
the docs team is public,docs,chat,,,,,cloud then local
a caller may keep its request at home,search,chat,,,,confidential,only local
a private key stays at home,search,chat,,,"{ ""private-key"" }",,only local
a card number stays at home,search,chat,,,"{ ""card-number"" }",,only local
a bank account stays at home,search,chat,,,"{ ""iban"" }",,only local
'''

_DEPLOYMENT: Final = """\
# Where the targets of main.policy are, who calls, and what this machine is. A key that is not known here is an error, and
# a secret is never written here: it is referred to by the environment variable or the file that holds it.

policy = "main.policy"

# A sidecar: only programs on this machine can reach it, and all of them are one team.
[listen]
address = "127.0.0.1"
port = 8484

[identity]
kind = "loopback"
team = "search"

# For several callers, each with a key of its own (the hash is the key's SHA-256):
#   [identity]
#   kind = "api-keys"
#   [[identity.keys]]
#   sha256 = "…"
#   team = "search"

# `local` is on_prem in the policy, so its URL has to be on this machine, or inside the networks that you declare with
#   on_prem_networks = ["10.1.0.0/16"]
# This is where Ollama listens; llama.cpp's server listens on port 8080, vLLM on 8000.
[targets.local]
url = "http://127.0.0.1:11434"
dialects = ["openai"]
model = "qwen3:8b"

# The credential replaces the caller's own. Set OPENAI_API_KEY, then take the `#` away.
[targets.cloud]
url = "https://api.openai.com"
dialects = ["openai"]
model = "gpt-5-mini"
# credential = { env = "OPENAI_API_KEY" }

# One line of JSON for each decision, without the text of any prompt.
[log]
stdout = true
"""

STARTING_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {"main.policy": _POLICY, "cases.csv": _CASES, "policyd.toml": _DEPLOYMENT}
)
"""File name to content, in the order a person should read them."""
