"""The table of diagnostic codes: one row each, and a code keeps its meaning for good.

In comes nothing; out goes `CODES`, which the command line, the rule pages in `docs/rules/` and the tests read. The
number ranges say which stage finds it: PD0xx files and commands, PD1xx syntax, PD2xx names, types and includes,
PD3xx findings of proofs, PD4xx tests and tables, PD5xx deployment files and bindings, PD6xx caps of the compiler.
The table does not hold messages: those are written where the finding is made, with the author's words in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policyd.text.diagnostic import Severity

__all__ = ["CODES", "Code"]

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means. `severity` is the usual one; a policy may choose another where the language lets it."""

    code: str
    severity: Severity
    title: str


_ROWS = (
    # PD0xx: files and commands.
    Code("PD001", _E, "unreadable file"),
    Code("PD002", _E, "not a text file"),
    Code("PD003", _E, "nothing to check"),
    Code("PD004", _E, "unreadable request"),
    Code("PD005", _E, "unknown feature in a request"),
    Code("PD006", _E, "value outside its feature's domain"),
    Code("PD007", _E, "feature that has to be given"),
    Code("PD008", _E, "file that exists already"),
    Code("PD009", _E, "sidecar that cannot be asked"),
    Code("PD010", _E, "another policy than asked for"),
    Code("PD011", _E, "no claim to prove"),
    Code("PD012", _E, "unknown target or rule in a question"),
    Code("PD013", _E, "a file includes itself"),
    Code("PD014", _E, "includes too deep or too many"),
    Code("PD015", _E, "a path outside the policy's folder"),
    Code("PD016", _E, "a file included twice"),
    Code("PD017", _E, "empty policy"),
    Code("PD020", _E, "no repository to take a revision from"),
    Code("PD021", _E, "unknown revision"),
    Code("PD022", _E, "path that a revision does not have"),
    Code("PD023", _E, "sides that cannot be compared"),
    Code("PD024", _W, "unreadable line of a decision log"),
    Code("PD025", _E, "condition where targets are asked for"),
    # PD1xx: syntax.
    Code("PD101", _E, "unexpected text"),
    Code("PD102", _E, "unknown statement"),
    Code("PD103", _E, "incomplete statement"),
    Code("PD104", _E, "reserved word used as a name"),
    Code("PD105", _E, "unbalanced brackets"),
    Code("PD106", _E, "more than one statement on a line"),
    Code("PD107", _E, "empty file"),
    Code("PD108", _E, "missing or misplaced edition"),
    Code("PD109", _E, "unsupported edition"),
    Code("PD110", _E, "unknown character"),
    Code("PD111", _E, "unterminated string"),
    Code("PD112", _E, "bad escape in a string"),
    Code("PD113", _E, "forbidden character in a string or comment"),
    Code("PD114", _E, "bad number"),
    Code("PD115", _E, "bad date"),
    Code("PD116", _E, "bad amount of money"),
    Code("PD117", _E, "bad duration"),
    Code("PD118", _E, "condition nested too deeply"),
    Code("PD119", _E, "formatting would change the meaning"),
    # PD2xx: names, types, includes.
    Code("PD201", _E, "unknown name"),
    Code("PD202", _E, "name declared twice"),
    Code("PD203", _E, "unknown target"),
    Code("PD204", _E, "unknown rule or budget"),
    Code("PD205", _E, "one name for a feature and a fact"),
    Code("PD206", _E, "name that policyd uses itself"),
    Code("PD208", _E, "defined by itself"),
    Code("PD209", _E, "too large or too deep"),
    Code("PD210", _E, "feature without a source or without unknown"),
    Code("PD211", _E, "bad domain or header"),
    Code("PD212", _E, "unknown outside the domain"),
    Code("PD213", _E, "two features of one source"),
    Code("PD220", _E, "value of the wrong kind"),
    Code("PD221", _E, "no order"),
    Code("PD222", _E, "value outside the domain"),
    Code("PD223", _E, "test that does not suit its subject"),
    Code("PD224", _E, "range upside down"),
    Code("PD225", _E, "bad string or finding name"),
    Code("PD226", _W, "test that the domain decides"),
    Code("PD227", _W, "constant outside the domain"),
    Code("PD228", _W, "finding that no detector makes"),
    Code("PD230", _E, "unknown fact"),
    Code("PD231", _E, "target without a mandatory fact"),
    Code("PD232", _E, "bad value of a fact"),
    Code("PD233", _E, "fact stated twice"),
    Code("PD234", _E, "fact asked for and not stated"),
    Code("PD235", _W, "word that no target states"),
    Code("PD236", _E, "no target"),
    Code("PD240", _E, "level not computed once"),
    Code("PD241", _E, "bad start of a level"),
    Code("PD242", _E, "start that does not read attested features only"),
    Code("PD243", _E, "level computed from itself"),
    Code("PD244", _W, "level that never looks at opaque"),
    Code("PD245", _W, "raise to the lowest value"),
    Code("PD250", _E, "claimed feature without an absent value in what forbids"),
    Code("PD251", _E, "status that is no refusal"),
    Code("PD252", _E, "exception that the guard does not permit"),
    Code("PD253", _W, "expired exception"),
    Code("PD254", _E, "exception or suppression without an end in range"),
    Code("PD255", _E, "bad budget or limit"),
    Code("PD256", _W, "budget kept by a claimed feature"),
    Code("PD260", _E, "no route or no otherwise"),
    Code("PD261", _E, "misplaced otherwise"),
    Code("PD262", _E, "target twice in a route"),
    Code("PD263", _E, "bad group or split"),
    Code("PD270", _E, "statement that a scoped file may not hold"),
    Code("PD271", _E, "scope that does not read attested features only"),
    Code("PD272", _E, "unknown or unusable alias"),
    Code("PD273", _E, "order that the file contradicts"),
    Code("PD274", _E, "alias or order without a scope"),
    Code("PD280", _E, "computed level given in a test"),
    Code("PD281", _E, "feature given twice in a test"),
    Code("PD282", _E, "feature missing in a test"),
    Code("PD283", _E, "unknown that cannot be"),
    Code("PD284", _E, "impossible request in a test"),
    Code("PD285", _E, "expectation that cannot hold"),
    Code("PD286", _E, "bad table of tests"),
    Code("PD287", _E, "empty table of tests"),
    # PD3xx: findings of proofs.
    Code("PD301", _E, "broken assertion"),
    Code("PD302", _E, "assertion not proved"),
    Code("PD303", _W, "claimed loosens"),
    Code("PD304", _W, "unknown loosens"),
    Code("PD305", _W, "dead rule"),
    Code("PD306", _N, "hole"),
    Code("PD307", _N, "dead end"),
    Code("PD308", _E, "conflicting includes"),
    Code("PD309", _W, "not proved"),
    Code("PD310", _W, "assertion that claims nothing"),
    Code("PD311", _N, "redundant rule"),
    Code("PD312", _N, "redundant condition"),
    Code("PD313", _W, "not monotone"),
    Code("PD314", _E, "scope leak"),
    Code("PD315", _W, "budget that never matters"),
    Code("PD316", _N, "what an exception opens"),
    Code("PD317", _W, "exception that opens nothing"),
    Code("PD318", _W, "target that no request can reach"),
    Code("PD319", _N, "capability that no target has"),
    Code("PD320", _W, "test that asserts nothing reachable"),
    Code("PD321", _W, "unused suppression"),
    Code("PD322", _W, "expired suppression"),
    Code("PD323", _E, "finding that cannot be suppressed or graded"),
    Code("PD324", _N, "request that cannot be translated"),
    # PD4xx: tests and tables.
    Code("PD401", _E, "no tests"),
    Code("PD402", _E, "failed test"),
    Code("PD403", _E, "test of a request that never enters the policy"),
    Code("PD404", _E, "compiled policy and reference disagree"),
    Code("PD405", _E, "coverage below the minimum"),
    Code("PD406", _W, "mistake that nothing notices"),
    # PD5xx: deployment files and bindings.
    Code("PD501", _E, "deployment file cannot be read"),
    Code("PD502", _E, "deployment file is not TOML"),
    Code("PD503", _E, "unknown key in the deployment file"),
    Code("PD504", _E, "missing key in the deployment file"),
    Code("PD505", _E, "bad value in the deployment file"),
    Code("PD506", _E, "secret written into the deployment file"),
    Code("PD507", _E, "secret cannot be fetched"),
    Code("PD508", _E, "bad URL of a target"),
    Code("PD509", _E, "fixed identity on an open address"),
    Code("PD510", _E, "environment variable names no setting"),
    Code("PD511", _E, "setting that cannot change while policyd runs"),
    Code("PD520", _E, "target without a binding"),
    Code("PD521", _W, "binding without a target"),
    Code("PD522", _E, "binding does not bear out `location on_prem`"),
    Code("PD523", _E, "target reached in the clear"),
    Code("PD524", _E, "binding lacks a dialect that the target speaks"),
    Code("PD525", _E, "budget or limit without a ledger"),
    Code("PD526", _E, "feature that the deployment does not give"),
    Code("PD527", _E, "claim that no identity has"),
    Code("PD528", _E, "feature read from a reserved header"),
    Code("PD529", _E, "forwarding target without a pinned model"),
    Code("PD530", _E, "two targets with different facts in one place"),
    # PD6xx: caps of the compiler.
    Code("PD601", _E, "condition with too many alternatives"),
    Code("PD602", _E, "too many constants on one feature"),
    Code("PD603", _E, "policy too large"),
    Code("PD604", _E, "too many constants to relate"),
    Code("PD605", _E, "failed self-test"),
)

CODES: Mapping[str, Code] = MappingProxyType({row.code: row for row in _ROWS})
assert len(CODES) == len(_ROWS), "INVARIANT: one row for each code"
