"""Why a policy decides one request as it does, and what would have to change for another answer.

In come a program and a request; out go explanations as data: `explanation` reads the whole decision, `whynot` says why a
target or a rule has no part in it, `nearest` finds the fewest features that would have to be different. Pure: how it is
written is the command line's.
"""
