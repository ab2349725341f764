"""How each built-in feature comes about, in a sentence or two: what `policyd features --explain` and docs/features.md say.

One entry for each row of `BUILTIN_FEATURES`; a test keeps them equal.
"""

from typing import Final

__all__ = ["HOW"]

_FLAG: Final = "Read from the keys and the shapes of the body, in the request and in the history that it sends along (docs/traffic.md)."

HOW: Final = {
    "endpoint": "The path settles it, before anything else is looked at.",
    "hour": "The sidecar's clock, in the `timezone` of the deployment.",
    "weekday": "The sidecar's clock, in the `timezone` of the deployment.",
    "date": "The sidecar's clock, in the `timezone` of the deployment.",
    "model": "The key `model`, or the deployment in an Azure path. It is any text that a client likes: a name says nothing of a place.",
    "stream": _FLAG,
    "tools": _FLAG,
    "images": _FLAG,
    "json": _FLAG,
    "reasoning": _FLAG,
    "server_tools": _FLAG,
    "stored": _FLAG,
    "remote_content": _FLAG,
    "opaque": "Something that no detector reads: images, what is fetched, encrypted blocks, shapes that no table knows (docs/traffic.md).",
    "messages": "Messages, input items, prompts or inputs, as they stand in the body.",
    "max_output": "The largest of the output limits in the body; 0 for embeddings and counts of tokens.",
    "first_turn": "False once the body has an answer of a model, a call or a result of a tool, or continues what the server keeps. What agents write"
    " in the model's name before a person has spoken (aider, Qwen Code) does not count. An agent that forgets its history begins anew.",
    "session_id": "The first place that is filled, of a table by client: headers of Claude Code, Codex and opencode, `metadata`, `client_metadata`, general"
    " headers. Of an id of more than 256 characters its SHA-256. The client chooses it freely, so it can part requests and never vouch for one.",
    "conversation_id": "The conversation inside the session where the client tells them apart (a sub-agent, a thread), otherwise the same as `session_id`.",
    "task": "The first rule that holds: the endpoint, a gap to fill, the beginnings of known side calls, tools that were used, and then the words of what a"
    " person said last, in English, Spanish, Portuguese, German or French. A rule of thumb that costs no model call: whoever words a request otherwise"
    " gets another task, so let it choose a route, and let guards rest on findings and labels.",
    "complexity": "A sum of points for tools, turns, reasoning settings, length, code, the answer's limit and form; each part only grows with what it counts, so a"
    " conversation never becomes less complex. No word is weighed: a hard question in one line has few points. Proofs take it for independent of"
    " what it is summed from, so a witness may show a number that its other features would not add up to.",
    "code_ratio": "Of the characters in the lines of the first 16,384 characters of the conversation (persons, models, results of tools; no system prompt, no tool"
    " definitions), the percentage in lines that have the shape of code: fences, brackets, keywords, signs, what is indented below them. Because it"
    " is the beginning that counts, it settles early and does not change from turn to turn.",
    "language": "What persons said last, without code and names, 500 to 1,000 characters if there are so many, by py3langid (`pip install 'policyd[language]'`; without"
    " it a policy that reads `language` is not served). `\"\"` where there are fewer than 20 bytes of letters or the model is less than 70 % sure,"
    " as it often is of a prompt of a few words, so say what is to happen with `\"\"`.",
    "tokens": "Bounds first; counted by a public vocabulary only where a rule depends on it, off the event loop (docs/traffic.md).",
    "context_needed": "`tokens` and `max_output`; where the client sets no limit, the deployment's `answer_reserve` in its place.",
    "untranslatable": "The request is said in the other dialect, as it would be sent; true where something would be lost (docs/translation.md).",
    "findings": "The detectors look through every text of the body, and headers and query that pass on, off the event loop (docs/detectors.md). What is not found is not proved absent.",
    "unredactable": "What is still found once everything that a redaction names was replaced (docs/redaction.md).",
}  # fmt: skip
