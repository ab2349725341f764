"""Taking findings out of a request, and putting them back into its answer.

In come a body with its reading, the names to take out and a key; out go a body in which placeholders stand for what was
found, and what could not be taken out. Later, in come answers with placeholders; out go answers with the values.

The one idea: what is taken out is a *value*, wherever it stands, and what remains is scanned again as if it had come so.
So a place that nobody thought of is no leak: what is still found there says that the request cannot be redacted.

Not here: which names are taken out, and whether (the policy says it), and when a body is sent (the proxy's).
"""
