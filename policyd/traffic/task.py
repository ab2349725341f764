"""What a request is for, by rules that stand in one table.

In come an endpoint, a dialogue and a reading; out goes one word. The one idea: structure first, words last. Endpoints, gaps to
fill, known side calls and tool results say more than any word, and need no language; only where a person has just said
something do the verbs of that decide, in the order of the table, the kind of work that can do most harm first.

It is a rule of thumb: words that a person uses in passing are taken for what is asked. It reads English, Spanish,
Portuguese, German and French.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from policyd.traffic.code_shape import prose_of
from policyd.traffic.dialogue import Dialogue
from policyd.traffic.reading import Flag, Reading

__all__ = ["LOOKED_AT", "RULES", "SIDE_OPENINGS", "Rule", "task_of"]

LOOKED_AT: Final = 300
"""Characters of the words of a message that are searched: so many of its beginning, and as many of its end."""

WITH_CODE: Final = 4_096
"""Characters of each end of a message that are looked through for its words, code included."""

TINY: Final = 32
"""Tokens of an answer up to which a request without tools is a side call."""

SIDE_OPENINGS: Final = (
    "You are a title generator", "You are coming up with a succinct title", "Generate a title for this conversation",
    "Generate a short name for a project", "Generate a short 2-3 word name", "Generate a concise, sentence-case title",
    "Generate a concise, technical issue title", "Generate a concise, single-line task title", "Generate a concise summary of the session",
    "You are a helpful AI assistant tasked with summarizing conversations", "You are a context summarization agent",
    "You are performing a CONTEXT CHECKPOINT COMPACTION", "Your task is to create a detailed summary of",
    "Write a short summary label", "Analyze if this message indicates a new conversation topic",
    "Please write a 5-10 word title", "Summarize this coding conversation", "Summarize the following in less than 40 characters",
    "You are now acting as the managed memory extraction subagent", "*Briefly* summarize this partial conversation",
    "You are an expert software engineer that generates concise, one-line Git commit messages",
    "### Task:\nGenerate", "### Task:\nSuggest", "Provide a concise, 5-word-or-less title",
)  # fmt: skip
"""How the system prompt or the last message of a known side call begins: Claude Code, Codex, opencode, Qwen Code, aider, Open WebUI,
LibreChat."""

_CODE: Final = r"(?:function|class|script|method|component|endpoint|module|program|query|regex|api|cli|code|hook|migration|parser|handler|schema|dockerfile|workflow|service|loop)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the task, what makes it so for people, and the words that do, where words do."""

    task: str
    when: str
    words: str = ""


RULES: Final = (
    Rule("embedding", "the endpoint is `embeddings`"),
    Rule("completion", "the endpoint is `completions`; or there is a `suffix`, or the last message begins with a mark for filling a gap (`<fim_prefix>`)"),
    Rule("side_call", f"the system prompt or the last message begins like a known side call of an agent (titles, topics, summaries, memory, commit messages, probes); or there are no tools and the answer may have {TINY} tokens at most"),
    Rule("agent", "a tool has been called, or its result is in the conversation"),
    Rule("security", "words such as vulnerability, exploit, CVE, OWASP, SQL injection, security review",
         r"vulnerab\w*|vuln[eé]rab\w*|exploit(?:s|ed|able|ation)?\b|\bcves?\b|owasp|pen-?test\w*|penetration test\w*|threat model\w*|(?:sql|command|prompt|code) injection|\b(?:xss|csrf|ssrf|rce)\b"
         r"|security[ -](?:best practices|review|audit|hole|issue|bug|flaw|scan|check|test|analysis|assessment|vulnerab\w*)\w*|(?:audit|harden\w*|secure)\b.{0,30}\b(?:security|app\w*|code|server|api|config\w*)"
         r"|\b(?:fallos?|problemas?|brechas?|agujeros?|auditor[ií]a|revisi[oó]n|revisa\w*) de (?:la )?seguridad|inyecci[oó]n|(?:audit|revis)\w*\b.{0,20}\b(?:seguridad|seguran[cç]a)\b|\bseguran[cç]a\b.{0,20}\b(?:falha|c[oó]digo)|\bfalhas? de seguran[cç]a|inje[cç][aã]o de"
         r"|sicherheits(?:l[uü]cke|pr[uü]f|analys|audit)\w*|schwachstelle\w*|failles? de s[eé]curit[eé]|audit de s[eé]curit[eé]"),
    Rule("migration", "words such as migrate, port to, upgrade from … to, convert to another language or version",
         r"migrat(?:e|es|ing|ion)\b|translat(?:e|ing)\b.{1,40}\bcode\b.{1,40}\bto\b|\bport(?:ing)?\b.{1,60}\b(?:to|from|over)\b|upgrad(?:e|es|ing)\b.{1,60}\b(?:to|from|version)\b|(?:convert|translate|rewrite)\b.{1,60}\b(?:to|into|in)\s+(?:python|java\w*|typescript|kotlin|rust|go|c\+\+|c#|swift|scala|ruby|php|vue|react|angular|\.net)"
         r"|(?:pas[aáe]|convert|conviert|conversi[oó]n|convers[aã]o|reescrib|reescrev)\w*\b.{1,60}\b(?:a|para|en|em)\s+(?:python|java\w*|typescript|kotlin|rust|go|c\+\+|c#|swift|scala|ruby|php|vue|react|angular|\.net)"
         r"|migr(?:a|e|em|en)(?:r|ci[oó]n|lo|la|me|mos)?\b|actualiza\w*\b.{1,60}\ba la versi[oó]n|migra[cç][aã]o|migrier\w*|portier\w*|migre[rz]\b"),
    Rule("test_writing", "words such as write, add, generate with tests; unit tests, test cases, coverage",
         r"(?:writ|add|creat|generat|implement|mak|produc|need|want|missing|more|improv|increas|extend|cover)\w*\b.{0,40}\btests?\b|\bunit[ -]?test\w*|\btest[ -](?:cases?|suite|coverage|plan)|\b(?:pytest|jest|junit|vitest|mocha|rspec|nunit|xunit|playwright|cypress)\b.{0,40}\btests?\b|\btests? (?:for|with)\b"
         r"|(?:escrib|a[nñ]ad|agreg|gener|cre|hac|haz|pon|implement)\w*\b.{0,40}\b(?:tests?|pruebas?)\b|pruebas? (?:unitarias?|de integraci[oó]n)|\btestes? (?:unit[aá]rios?|para)|(?:escrev|ger|cri|adicion|fa[cç])\w*\b.{0,40}\btestes?\b"
         r"|\btests?\b.{0,40}\b(?:schreib|erstell|hinzuf[uü]g|generier)\w*|(?:schreib|erstell|generier)\w*\b.{0,40}\btests?\b|(?:[eé]cri|ajout|g[eé]n[eé]r|cr[eé])\w*\b.{0,40}\btests?\b|tests? unitaires?"),
    Rule("refactor", "words such as refactor, restructure, simplify, clean up, extract a function, rename",
         r"re-?factor\w*|restructur\w*|reorgani[sz]\w*|simplif(?:y|ies|ied|ying|ica\w*|ier\w*|ie[rz]?)\b|clean(?:ing)?[ -]?up\b|de-?duplicat\w*|extract\b.{0,30}\b(?:function|method|class|component|variable|module|interface)|renam(?:e|ing)\b"
         r"|refactori\w*|reestructur\w*|simplifi[cq]\w*|limpi(?:a|e|ar|á)\b.{0,30}\bc[oó]digo|extra(?:e|é|er|ia|ir)\b.{0,30}\b(?:funci[oó]n|fun[cç][aã]o|m[eé]todo|clase|classe|componente)|refator\w*|refaktor\w*|umstrukturier\w*|vereinfach\w*|umbenenn\w*|remani\w*|renombr\w*|renome\w*"),
    Rule("review", "words such as review, critique, audit, what is wrong with, find bugs",
         r"(?:code |pr |peer )?review(?:s|ed|ing|er)?\b|critiqu\w*|\baudit\w*|(?:look|go|read) (?:over|through)\b|what(?:'s| is|s) wrong|(?:find|spot|check for|any|look for)\b.{0,20}\b(?:bugs?|mistakes?|errors?|issues?|problems?)|feedback on|code quality"
         r"|\brevis(?:a|ar|á|e|es|en|emos|ión|ion|alo|ala|ame|ão|ao)\b|qu[eé] est[aá] mal|(?:encuentra|busca)\w*\b.{0,20}\b(?:errores|fallos|bugs)|o que est[aá] errado|[uü]berpr[uü]f\w*|begutacht\w*|\bpr[uü]fe?\b|was ist falsch|relis\w*|relecture|revue de code|examine[rz]?\b"),
    Rule("edit", "at the beginning of a sentence, or behind please, can you, to, and: words such as fix, implement, add, change, update, remove; writing or generating code",
         r"(?:^|[.!?:;,\n]\s*|[\"'(*#>-]\s*|\b(?:please|pls|you|and|then|to|now|also|let's|lets|must|should|need|por favor|puedes|pod[eé]s|podr[ií]as|quiero|necesito|ten[eé]s que|tienes que|hay que|poderia|quero|preciso|y|e|bitte|und|peux-tu|pouvez-vous|et|pode)\s+)"
         r"(?:fix|implement|add|change|modify|update|remove|delete|replace|edit|correct|insert|rewrite|debug|resolve|optimi[sz]e|improve|adjust|append|convert|complete|handle|make|use|move|set up|configure|integrate|build|develop|define|document"
         r"|arregl\w*|corr[ei]g\w*|corrij\w*|resuelv\w*|resolv\w*|solucion(?:a|á|ar|e|en)\w*|conviert\w*|convert(?:i|í|ir|a|er)\b|ajusta\w*|completa\w*|depur\w*|pon(?:e|é|er|ga|le)?|saca\w*|reescrib\w*"
         r"|reescrev\w*|acrescent\w*|exclu(?:a|ir)|apag(?:a|ue|ar)|troque|trocar|mud(?:e|ar)|coloque|colocar|arrum(?:e|a|ar)|melhor(?:e|ar)|implement\w*|agreg\w*|a[nñ]ad\w*|cambi\w*|modific\w*|modifiqu\w*|elimin\w*|borr\w*|quita\w*|reemplaz\w*|actualiz\w*|mejor\w*|optimiz\w*|adicion\w*|altere?\w*|remov\w*|substitu\w*|conserte"
         r"|behebe\w*|implementier\w*|f[uü]ge|[aä]nder\w*|entfern\w*|l[oö]sche\w*|ersetz\w*|aktualisier\w*|verbesser\w*|korrigier\w*|corrige\w*|impl[eé]mente\w*|ajoute\w*|modifie\w*|supprime\w*|remplace\w*|am[eé]liore\w*)\b"
         rf"|\b(?:writ(?:e|ing)|creat(?:e|ing)|generat(?:e|ing)|build|develop|design|escrib\w*|cre[ae]\w*|genera\w*|hac(?:e|é|er|eme|elo|ela)|haz\w*|desarroll\w*|escrev\w*|cri(?:e|a|ar|em)|ger(?:e|a|ar|em)|fa[cç]a|fazer|desenvolv\w*|schreib\w*|erstell\w*|[eé]cris|[eé]crire)\b.{{0,60}}\b(?:{_CODE}|funci[oó]n|clase|programa|consulta|c[oó]digo|fun[cç][aã]o|m[eé]todo|componente|m[oó]dulo|funktion|klasse|programm|fonction|classe|requ[eê]te)s?\b"),
    Rule("agent", "tools are offered, and nothing above"),
    Rule("chat", "everything else"),
)  # fmt: skip
"""Asked from the top; the first that holds is the task."""

_TOOLS: Final = frozenset({Flag.TOOLS, Flag.SERVER_TOOLS})


@lru_cache(maxsize=1)
def _searches() -> tuple[tuple[str, Any], ...]:
    """RE2 goes through a text once, whatever it holds, and ten times as fast as `re` with as many alternatives."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415  loaded only where a policy asks

    return tuple((rule.task, re2.compile(f"(?i){rule.words}")) for rule in RULES if rule.words)


def task_of(endpoint: str, dialogue: Dialogue, reading: Reading) -> str:
    """The task of a request to this endpoint."""
    if endpoint == "embeddings":
        return "embedding"
    if endpoint == "completions" or dialogue.filling:
        return "completion"
    if _is_side_call(endpoint, dialogue, reading):
        return "side_call"
    # INVARIANT: an agent's request has `tools` or `server_tools`; proofs rely on it.
    acting = not reading.flags.isdisjoint(_TOOLS)
    if dialogue.acts and acting:
        return "agent"
    words = _words(dialogue)
    for task, pattern in _searches():
        if pattern.search(words):
            return task
    return "agent" if acting else "chat"


def _is_side_call(endpoint: str, dialogue: Dialogue, reading: Reading) -> bool:
    if dialogue.opening.startswith(SIDE_OPENINGS) or dialogue.asked.lstrip().startswith(SIDE_OPENINGS):
        return True
    # A count of tokens has no answer, which says nothing of the request that is counted.
    most = None if endpoint == "count_tokens" else reading.max_output
    return most is not None and 1 <= most <= TINY and reading.flags.isdisjoint(_TOOLS)


def _words(dialogue: Dialogue) -> str:
    """The beginning and the end of what a person said last, without code."""
    text = "\n".join(dialogue.said[0]) if dialogue.said else ""
    if len(text) > 2 * WITH_CODE:
        text = f"{text[:WITH_CODE]}\n{text[-WITH_CODE:]}"
    text = prose_of(text)
    if len(text) > 2 * LOOKED_AT:
        text = f"{text[:LOOKED_AT]}\n{text[-LOOKED_AT:]}"
    # Without accents, which people leave out as well, and in which RE2 sees the end of a word.
    return text if text.isascii() else unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
