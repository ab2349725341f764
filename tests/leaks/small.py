"""Small policies, each with findings of one code that have a witness, over features of every kind.

A policy is a table of files, so that includes are as they are anywhere else. `WITHOUT` names the codes whose findings have
no witness, and why.
"""

from typing import Final

__all__ = ["ROOT", "SMALL", "WITHOUT"]

ROOT: Final = "main.policy"

BASE: Final = """\
edition 1

level sensitivity { internal < confidential }
string team from identity unknown reject
enum latency { interactive, batch } from header "x-latency" unknown interactive
int risk 0..9 from deployment unknown 9

classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential when opaque or findings contains any { "secret", "private-key" }
}

target local { location on_prem context 64k speaks chat, completions, responses, embeddings, messages supports tools, json, stored }
target cloud { location cloud context 128k speaks chat, completions, responses, embeddings, messages supports tools, images, json, reasoning, stored, server_tools, remote_content }
"""

HOME: Final = 'guard home only location == on_prem when sensitivity >= confidential because "stays home"\n'
END: Final = 'route all to cloud, local\notherwise reject "nobody may"\n'
CLEAN: Final = BASE + HOME + END


def _claims(*lines: str) -> dict[str, str]:
    """A policy without a guard, and claims that it breaks."""
    return {ROOT: BASE + END + "\n".join(lines) + "\n"}


SMALL: Final[dict[str, dict[str, str]]] = {
    "PD301 what is confidential": _claims(
        "assert by_label never location == cloud when sensitivity >= confidential",
        'assert by_key never location == cloud when findings contains "secret.aws"',
        'assert by_card never location == cloud when findings contains all { "card-number", "iban" }',
        'assert by_person never location == cloud when findings contains "national-id.us-ssn"',
        'assert by_private never location == cloud when findings contains "private-key" and not findings contains "secret"',
        "assert unread never location == cloud when opaque and not images",
        "assert pictures never location == cloud when images",
    ),
    "PD301 what is asked for": _claims(
        "assert a never location == cloud when endpoint == completions and stream",
        "assert b never location == cloud when endpoint == responses and not stored and json",
        "assert c never location == cloud when endpoint == responses and reasoning and tools",
        "assert d never location == cloud when endpoint == embeddings and tokens >= 3k",
        "assert e never location == cloud when endpoint == count_tokens and context_needed > 1k",
        "assert f never location == cloud when server_tools and not tools and endpoint == messages",
        "assert g never location == cloud when remote_content and context_needed == 1000000000000",
        "assert h never location == cloud when endpoint == messages and messages >= 3 and json",
        "assert i never location == cloud when context_needed > 100k and max_output < 1k and tools",
        'assert j never location == cloud when model starts with "gpt-" and model != "gpt-4"',
        "assert k never rejected when context_needed > 100k",
        "assert l never location == cloud when max_output > 100k and context_needed <= 20k",
        "assert m never location == cloud when endpoint == responses and stored",
    ),
    "PD301 who asks and when": _claims(
        'assert a never location == cloud when team == "search" and latency == batch',
        "assert b never location == cloud when risk >= 7",
        "assert c never location == cloud when weekday in { sat, sun } and hour in 0..5",
        "assert d never location == cloud when date >= 2030-05-01 and weekday == tue",
        "assert f never rejected when hour >= 0",
    ),
    "PD301 what no request is": {
        ROOT: BASE
        + "budget month $100 per month by team\n"
        + "route early to cloud when exceeded(month)\n"
        + END
        + "assert a never location == cloud when endpoint == embeddings and max_output > 5 and exceeded(month)\n"
        + "assert b never location == cloud when remote_content and not images and context_needed <= 64k and exceeded(month)\n"
        + "assert c never location == cloud when endpoint == completions and images and tokens < 9k and exceeded(month)\n"
        + "assert d never location == cloud when endpoint == embeddings and json and exceeded(month)\n"
        + "assert e never location == cloud when endpoint == models and exceeded(month)\n"
        + "assert g never location == cloud when not exceeded(month)\n"
        + "assert h never location == cloud when exceeded(month)\n"
        + "assert i never location == cloud when endpoint == chat and messages > 1M and exceeded(month)\n"
        + 'assert j never location == cloud when latency == batch and exceeded(month) and findings contains "secret" and not findings contains any { "secret.aws", "secret.github" }\n'
    },
    "PD301 no words": _claims("assert f never location == cloud when tokens < 3 and messages >= 1"),
    "PD301 a deny": {
        ROOT: CLEAN
        + 'deny late when hour >= 22 status 429 because "late"\nassert served never rejected when not images\n'
    },
    "PD301 a fallback and a split": {
        ROOT: BASE
        + "route split to split { local 50, cloud 50 } by team when latency == batch\n"
        + 'route any to any { local, cloud } when hour < 6\nroute rest to local, cloud\notherwise reject "no"\n'
        + "assert batches never location == cloud when latency == batch\n"
        + "assert nights never location == cloud when hour < 6 and latency == interactive\n"
        + "assert days never location == cloud when hour > 6 and latency == interactive\n"
    },
    "PD303 a header": {ROOT: BASE + 'guard word forbid target == cloud when latency == interactive because "x"\n' + END},
    "PD303 the model's name": {
        ROOT: BASE + 'guard word forbid target == cloud when not model starts with "claude" because "x"\n' + END
    },
    "PD303 lifts a deny": {ROOT: BASE + 'deny word when latency == interactive status 429 because "x"\n' + END},
    "PD304 a claim": {
        ROOT: BASE
        + 'string desk from identity unknown "none"\n'
        + 'guard desks forbid target == cloud when desk == "trading" because "x"\n'
        + END
    },
    "PD304 the deployment": {
        ROOT: BASE + 'guard risky forbid target == cloud when risk < 5 because "x"\n' + END
    },
    "PD304 what was not scanned": {
        ROOT: BASE + 'guard unscanned forbid target == cloud when not findings contains "secret" because "x"\n' + END
    },
    "PD304 what was not counted": {
        ROOT: BASE + 'deny short when tokens < 5k because "x"\n' + END
    },
    "PD306 holes, PD307 dead ends": {
        ROOT: BASE
        + HOME
        + 'route batch to cloud when latency == batch\nroute big to cloud when context_needed > 64k\n'
        + 'route one to local when team == "one"\notherwise reject "no" status 503\n'
    },
    "PD308": {
        ROOT: CLEAN.replace(
            "route all",
            'include "a.policy" scope team == "x"\ninclude "b.policy" scope team in { "x", "y" }\nroute all',
        ),
        "a.policy": "edition 1\n\nroute own to local\n",
        "b.policy": "edition 1\n\nroute own to cloud, local\n",
    },
    "PD313 a level": {
        ROOT: BASE
        + "level clearance { low < mid < high } from identity unknown reject\n"
        + 'guard mids forbid target == cloud when clearance == mid because "x"\n'
        + END
    },
    "PD313 a finding": {
        ROOT: BASE
        + 'guard alone forbid target == cloud when findings contains "iban" and not findings contains "card-number" because "x"\n'
        + 'guard much forbid target == cloud when findings contains all { "iban", "card-number", "secret" } because "x"\n'
        + END
    },
    "PD316": {
        ROOT: CLEAN.replace("because", 'overridable by "ciso" because')
        + 'except pilot to home when team == "lab" until 2098-12-31 owner "ciso" because "a pilot"\n'
    },
    "PD319": {ROOT: CLEAN.replace(", server_tools", "")},
    "PD324": {
        ROOT: CLEAN.replace(
            "responses, embeddings, messages supports tools, json, stored",
            "embeddings, messages translates responses supports tools, json, stored",
        )
    },
    "PD325": {
        ROOT: CLEAN.replace(
            "route all", 'route lab to cloud with redact(secret, iban) after redaction when team == "lab"\nroute all'
        )
    },
    "PD328": {
        ROOT: BASE + "route lab to cloud with redact(secret)\n" + END,
    },
    "PD320": {
        ROOT: CLEAN.replace("embeddings, ", "")
        + 'test "nothing" given { team "search", risk 0, endpoint embeddings } expect rejected\n'
    },
}  # fmt: skip

WITHOUT: Final = {
    "PD302": "not proved: nothing was found",
    "PD305": "no request is decided by a dead rule",
    "PD309": "not proved: nothing was found",
    "PD310": "the assertion speaks of no request",
    "PD311": "no request is decided otherwise without the rule",
    "PD312": "no request is decided otherwise without the condition",
    "PD314": "no text has one: the resolver puts each rule into its scope (see the test of one that is put together)",
    "PD315": "no request is decided otherwise when the budget is used up",
    "PD317": "no request is let through",
    "PD318": "no request goes there",
    "PD321": "about a line, not about requests",
    "PD322": "about a line, not about requests",
    "PD323": "about a line, not about requests",
    "PD326": "no request that the route decides has what it would take out",
}
"""Codes whose findings show no request, and why."""
