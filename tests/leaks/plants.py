"""Leaks as a person plants them: small edits of the example policies, each with what has to name it.

An edit is (file, what stands there once, what stands there then). `NAMED` by an assertion or another finding of `check`,
by the deployment that the policy is bound by, or only by `policyd diff`, because no policy can know that a fact is wrong.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["DEFAULT_CLAIMS", "PLANTS", "POLICIES", "Plant", "files_of"]

_FOLDER: Final = Path(__file__).parents[2] / "policies"

POLICIES: Final = ("coding-team", "claude-code-tiers", "regulated", "many-teams")
_ROOTS: Final = {"many-teams": ("company.policy", "vocabulary.policy", "teams/search.policy", "teams/payments.policy", "teams/night-shift.policy")}  # fmt: skip

DEFAULT_CLAIMS: Final = (("team", "docs"), ("user", "ana"))
"""A caller that every deployment here knows, so that each claim has a source."""

Kind = Literal[
    "a route above", "a default", "a header as the source", "a wrong fact", "a classification", "an exception",
    "a loosened unknown",
]  # fmt: skip
By = Literal["check", "loading", "deployment", "diff", "nothing leaks"]


@dataclass(frozen=True, slots=True)
class Plant:
    """`what` says the edit in words. `code` and `subject` are the finding's; `target` is where the marked bytes arrive.
    `caller`: who asks, where the planted policy no longer looks at who does. `given`: the request that is tried where
    there is no witness, because nothing leaks."""

    policy: str
    kind: Kind
    what: str
    edits: tuple[tuple[str, str, str], ...]
    code: str
    subject: str
    target: str
    by: By = "check"
    caller: tuple[tuple[str, str], ...] | None = None
    given: str = ""

    @property
    def name(self) -> str:
        return f"{self.policy}, {self.kind}: {self.what}"


def files_of(policy: str, plant: Plant | None = None) -> dict[str, str]:
    """The policy's files by name, the root first, with the plant in them."""
    if policy in _ROOTS:
        texts = {name: (_FOLDER / policy / name).read_text() for name in _ROOTS[policy]}
    else:
        texts = {f"{policy}.policy": (_FOLDER / f"{policy}.policy").read_text()}
    for file, old, new in plant.edits if plant is not None else ():
        assert texts[file].count(old) == 1, (file, old)
        texts[file] = texts[file].replace(old, new)
    return texts


def _one(policy: str, kind: Kind, what: str, old: str, new: str, *rest: str, **more: object) -> Plant:
    """An edit of a policy of one file."""
    code, subject, target = rest
    return Plant(policy, kind, what, ((f"{policy}.policy", old, new),), code, subject, target, **more)  # type: ignore[arg-type]


CODING, TIERS, BANK, MANY = POLICIES
PD: Final = "PD301"

_CLASSIFY: Final = """\
classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential  when findings contains any { "secret", "private-key" } or opaque
}
"""
_LABELLED: Final = """\
test "a label keeps it at home"
    given { endpoint chat, complexity 80, header "x-data-class" confidential }
    expect only gpu via complex, removed large by stays_home
"""

_CODING: Final = (
    _one(CODING, "a route above", "hard questions to the cloud, before `frugal`",
         "route latency       to fast", "route hard to large when complexity >= 40\nroute latency       to fast",
         PD, "frugal_stays_home", "large"),
    _one(CODING, "a default", "the cloud as a fallback of `frugal`",
         "to gpu             when cost", "to gpu, fast       when cost", PD, "frugal_stays_home", "fast"),
    _one(CODING, "a default", "a last route to the cloud",
         "otherwise reject", "route last to large, long\notherwise reject", "PD305", "last", "large",
         by="nothing leaks", given="reasoning findings=secret.aws"),
    Plant(CODING, "a header as the source", "the label is the sensitivity, and nothing raises it",
          (("coding-team.policy", "level sensitivity  { internal < confidential }",
            'level sensitivity  { internal < confidential } from header "x-data-class" unknown internal'),
           ("coding-team.policy", _CLASSIFY, ""),
           ("coding-team.policy", 'complexity 80, header "x-data-class" confidential', "complexity 80, sensitivity confidential")),
          PD, "keys_stay_home", "fast"),
    _one(CODING, "a wrong fact", "`fast` is said to stand on our premises",
         "target fast {\n    location  cloud", "target fast {\n    location  on_prem", "PD522", "fast", "fast", by="deployment"),
    _one(CODING, "a classification", "private keys are no longer looked for",
         '{ "secret", "private-key" } or opaque', '{ "secret" } or opaque', PD, "keys_stay_home", "fast"),
    _one(CODING, "a classification", "what could not be scanned counts as harmless",
         '"private-key" } or opaque', '"private-key" }', PD, "unscanned_stays_home", "fast"),
    _one(CODING, "a classification", "the label is no longer read",
         '    at least header "x-data-class"\n', "", "PD201", "x-data-class", "fast", by="loading"),
    Plant(CODING, "a classification", "the label is no longer read, and its test is gone, too",
          (("coding-team.policy", '    at least header "x-data-class"\n', ""), ("coding-team.policy", _LABELLED, "")),
          "looser", "fast", "fast", by="diff"),
    _one(CODING, "an exception", "long prompts may leave, with an owner and a date",
         'because "confidential code stays on our hardware"',
         'overridable by "lead" because "confidential code stays on our hardware"\nexcept long_prompts to stays_home '
         'when context_needed > 256k until 2099-06-30 owner "lead" because "they fit nowhere else"',
         PD, "confidential_stays_home", "long"),
)  # fmt: skip

_TIERS: Final = (
    _one(TIERS, "a route above", "the kernel team to `opus`, before all others",
         "route long    to", 'route kernel to opus when team == "kernel"\nroute long    to', "PD305", "kernel", "opus",
         by="nothing leaks", given="endpoint=messages team=kernel"),
    _one(TIERS, "a default", "a last route to the cloud",
         "otherwise reject", "route last to opus\notherwise reject", "PD305", "last", "opus",
         by="nothing leaks", given="endpoint=messages team=kernel context_needed=257k"),
    _one(TIERS, "a default", "the guard names one target instead of the place",
         "only location == on_prem", "forbid target == opus", PD, "confidential_stays_home", "sonnet"),
    _one(TIERS, "a header as the source", "the caller names its team itself",
         "from identity  unknown reject", 'from header "x-team"  unknown ""', "PD304", "team", "sonnet",
         caller=(("team", "kernel"),)),
    _one(TIERS, "a wrong fact", "`haiku` is said to stand on our premises",
         "target haiku {\n    location  cloud", "target haiku {\n    location  on_prem", "PD522", "haiku", "haiku", by="deployment"),
    _one(TIERS, "a classification", "the security team is forgotten",
         'team in { "kernel", "security" } or opaque', 'team in { "kernel" } or opaque', PD, "kernel_stays_home", "sonnet"),
    _one(TIERS, "a classification", "private keys are no longer looked for",
         'contains any { "secret", "private-key" }\n}', 'contains any { "secret" }\n}', PD, "keys_stay_home", "sonnet"),
    _one(TIERS, "an exception", "a pilot of the kernel team, with an owner and a date",
         'because "confidential code stays on our hardware"',
         'overridable by "ciso" because "confidential code stays on our hardware"\nexcept pilot to stays_home '
         'when team == "kernel" until 2099-06-30 owner "ciso" because "a pilot"',
         PD, "kernel_stays_home", "sonnet"),
    _one(TIERS, "a loosened unknown", "a caller without a team is let in",
         "from identity  unknown reject", 'from identity  unknown ""', "PD304", "team", "sonnet"),
)  # fmt: skip

_BANK: Final = (
    _one(BANK, "a route above", "quick batches to a provider, before `overnight`",
         "route overnight  to", "route quick to hosted_eu when latency == batch\nroute overnight  to", PD, "batches_stay_home", "hosted_eu"),
    _one(BANK, "a default", "everybody's text starts as public",
         "starts at internal", "starts at public", PD, "only_press_is_kept", "hosted_us"),
    _one(BANK, "a header as the source", "the caller says where the customer lives",
         "from deployment unknown reject", 'from header "x-origin" unknown eu', PD, "labels_cannot_loosen", "vault_us"),
    _one(BANK, "a header as the source", "the caller says its team",
         "from identity unknown reject", 'from header "x-team" unknown ""', "PD242", "team", "hosted_eu", by="loading"),
    _one(BANK, "a wrong fact", "`hosted_eu` is said to stand on our premises",
         "target hosted_eu {\n    location   cloud", "target hosted_eu {\n    location   on_prem", "PD522", "hosted_eu", "hosted_eu", by="deployment"),
    _one(BANK, "a wrong fact", "`hosted_us` is said to keep nothing",
         "retention  30 days", "retention  none", "PD310", "nothing_kept", "hosted_us"),
    _one(BANK, "a wrong fact", "`free_trial` is said not to learn",
         "training   yes", "training   no", "PD310", "nothing_learned", "free_trial"),
    _one(BANK, "a classification", "account numbers are no longer looked for",
         'let personal  = findings contains any { "card-number", "iban", "national-id" }',
         'let personal  = findings contains any { "card-number", "national-id" }', PD, "personal_stays_home", "hosted_eu"),
    _one(BANK, "a classification", "the guard's threshold is one level higher",
         "only location == on_prem\n    when sensitivity >= confidential", "only location == on_prem\n    when sensitivity >= restricted",
         PD, "confidential_stays_home", "hosted_eu"),
    _one(BANK, "a classification", "a team leaves the set of the regulated ones",
         'set regulated = { "risk", "payments", "people" }', 'set regulated = { "payments", "people" }', PD, "regulated_teams", "hosted_eu"),
    _one(BANK, "an exception", "a migration to America, with an owner and a date",
         'because "GDPR art. 44: no transfer out of the EU"',
         'overridable by "dpo" because "GDPR art. 44"\nexcept move to residency when team == "search" until 2099-06-30 owner "dpo" '
         'because "a migration"',
         PD, "eu_stays_in_eu", "vault_us"),
    _one(BANK, "a loosened unknown", "where the origin is not known it is America",
         "from deployment unknown reject", "from deployment unknown us", "PD304", "origin", "vault_us"),
)  # fmt: skip

_MANY: Final = (
    Plant(MANY, "a route above", "bursts to the provider, before every team's file",
          (("company.policy", "classify sensitivity {", "route burst to hosted\nclassify sensitivity {"),),
          PD, "search.batches_stay_home", "hosted"),
    Plant(MANY, "a default", "the provider as a fallback of the search team's batches",
          (("teams/search.policy", "to rack_long, rack          when", "to rack_long, rack, hosted  when"),),
          PD, "search.batches_stay_home", "hosted"),
    Plant(MANY, "a header as the source", "the caller names its team itself",
          (("vocabulary.policy", "from identity            unknown reject", 'from header "x-team"     unknown ""'),),
          "PD271", "team", "hosted", by="loading"),
    Plant(MANY, "a wrong fact", "`hosted` is said to stand on our premises",
          (("vocabulary.policy", "target hosted {\n    location  cloud", "target hosted {\n    location  on_prem"),),
          "PD522", "hosted", "hosted", by="deployment"),
    Plant(MANY, "a wrong fact", "the broker is said not to forward",
          (("vocabulary.policy", "onward    yes", "onward    no"),), PD, "search.batches_stay_home", "broker"),
    Plant(MANY, "a classification", "the payments team's file no longer calls its data confidential",
          (("teams/payments.policy", "classify sensitivity {\n    at least confidential\n}\n", ""),),
          PD, "payments_never_leave", "hosted"),
    Plant(MANY, "a classification", "private keys are no longer looked for",
          (("company.policy", 'findings contains any { "secret", "private-key" }\n}', 'findings contains any { "secret" }\n}'),),
          PD, "keys_stay_home", "hosted"),
    Plant(MANY, "an exception", "the legal team may use the broker, with an owner and a date",
          (("company.policy", 'because "SEC-3: only published text may go to a server that forwards elsewhere"',
            'overridable by "ciso" because "SEC-3"\nexcept legal to no_onward when team == "legal" until 2099-06-30 '
            'owner "ciso" because "contracts"'),),
          PD, "only_docs_forwarded", "broker"),
    Plant(MANY, "a loosened unknown", "a caller without a team is let in",
          (("vocabulary.policy", "from identity            unknown reject", 'from identity            unknown ""'),),
          "PD304", "team", "hosted"),
)  # fmt: skip

PLANTS: Final[tuple[Plant, ...]] = (*_CODING, *_TIERS, *_BANK, *_MANY)
