"""From syntax trees to a checked `Program`: names, types, scopes, and every mistake at once.

`load.py` is the only module here that reads files. `program.py` names every pass in the order they run.
"""
