"""Deployments in which nobody speaks what an agent speaks, so that everything it says and hears is translated.

In: a folder and what the targets speak. Out: the path of a deployment file in that folder, with its policy beside it. The
addresses in it are put over by the environment.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.agents.programs import KEY

__all__ = ["CHAT_ONLY", "MESSAGES_ONLY", "deployment"]

CHAT_ONLY: Final = "speaks chat  translates messages, responses"
MESSAGES_ONLY: Final = "speaks messages  translates chat"

POLICY: Final = """\
edition 1

level sensitivity { internal < confidential }
classify sensitivity {
    starts at internal
    at least confidential when opaque or findings contains "secret"
}
target rack  { location on_prem  context 256k  SPOKEN  supports tools, json, reasoning }
target cloud { location cloud    context 1M    SPOKEN  supports tools, json, images, reasoning }
guard stays_home only location == on_prem when sensitivity >= confidential because "DLP-7: confidential data stays on our hardware"
deny no_cards when findings contains "card-number" status 400 because "PCI-3: there is a payment card number in this conversation. Take it out and start a new one"
route all to cloud, rack
otherwise reject "no model may take this request" status 400
assert keys_stay_home never location == cloud when findings contains "secret"
"""

DEPLOYMENT: Final = """\
policy = "main.policy"

[identity]
kind = "api-keys"

[[identity.keys]]
sha256 = "HASH"

[targets.rack]
url = "http://127.0.0.1:1"
dialects = ["DIALECT"]
model = "MODEL"

[targets.cloud]
url = "http://127.0.0.1:1"
dialects = ["DIALECT"]
model = "frontier"
credential = { env = "CLOUD_API_KEY" }
"""


def deployment(folder: Path, spoken: str, *, model: str = "coder") -> Path:
    """`spoken` is `CHAT_ONLY` or `MESSAGES_ONLY`, for both targets; `model` is the rack's name for its model."""
    dialect = "openai" if spoken == CHAT_ONLY else "anthropic"
    values = {"HASH": sha256(KEY.encode()).hexdigest(), "DIALECT": dialect, "MODEL": model}
    text = DEPLOYMENT
    for name, value in values.items():
        text = text.replace(name, value)
    (folder / "main.policy").write_text(POLICY.replace("SPOKEN", spoken))
    path = folder / "policyd.toml"
    path.write_text(text)
    return path
