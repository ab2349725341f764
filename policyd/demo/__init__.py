"""A tour of policyd on one machine: two stand-in model servers, a real sidecar between, and a table of what went where.

In: the example policy and deployment file in `examples/demo/`. Out: what a person reads on the terminal. The one idea:
the proof that a secret did not leave is taken from the stand-ins' own records, never from the sidecar's word. It imports
nothing of policyd: it starts the sidecar as a user would, and speaks HTTP to it as a user's application would.
"""
