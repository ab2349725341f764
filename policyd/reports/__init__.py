"""What a command found, written for machines.

In comes a `Run` (`model.py`): what a command found out about each policy, as data. Out goes the text of one format:

    document.run_document(run)      JSON with a format version, `docs/schemas/check-1.json` says what is in it
    sarif.sarif_text(run, …)        SARIF 2.1.0, for code scanning
    annotations.annotations(run, …) GitHub workflow commands, one line for each finding
    junit.junit_text(run)           JUnit XML, for the test views of CI systems

A command with results of another kind writes its own JSON and takes the pieces from here: `values.py` writes requests,
decisions, places and diagnostics always in the same way, `document_text` writes an object as JSON that no reader can
misread, `markdown.py` shows an author's words in Markdown without letting them be Markdown. The flags `--format` and
`--output` are the command line's (`policyd/cli/formats.py`). Nothing here reads a file, a clock or the environment.
"""
