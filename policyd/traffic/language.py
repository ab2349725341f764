"""The language that persons write in, by py3langid, which is an extra (`pip install 'policyd[language]'`).

In come the texts that persons said, the last first; out goes a code of two or three letters, or `""` where it cannot be told.
The one idea: an answer that is not sure is no answer. Code, names with signs in them and URLs are taken out first, because a
short question about code is mostly that; what is left must be long enough, and the model sure of it.

The model is part of the library, some 90 MB in memory once loaded, and is loaded only where a policy reads `language`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from policyd.traffic.code_shape import prose_of

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

__all__ = ["NAMED", "installed", "known_codes", "language_of", "preload", "text_for_language"]

ENOUGH: Final = 500
"""Characters after which what was said earlier is not looked at."""

MOST: Final = 1_000

FEWEST_BYTES: Final = 20
"""Bytes of letters (UTF-8, so that a script that says more with less needs fewer letters) below which nothing is told."""

SURE: Final = 0.7
"""How sure the model must be, of one language with its varieties against all others. At 0.7 no text of 50 characters was taken for
another language on declarations of human rights; at 0.5 two in a hundred were."""

NAMED: Final = {
    "gug": "gn", "kik": "ki", "fuv": "ff", "uzs": "uz", "sdh": "ku", "arz": "ar", "ary": "ar", "wuu": "zh", "yue": "zh",
    "ext": "es", "nn": "no", "ltg": "lv", "hbo": "he", "zxx": "",
}  # fmt: skip
"""Codes of the model that policies know by another: that of the language that it is a variety of, or the usual two letters."""

_NOT_WORDS: Final = re.compile(r"\S*(?:[/\\_@`<>{}=\d]|\w[.:]\w|::|\(\))\S*")
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def installed() -> bool:
    return find_spec("py3langid") is not None


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  loaded only where it is read

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def preload() -> None:
    """Loads the model, which takes a second."""
    _identifier()


def text_for_language(said: Iterable[Iterable[str]]) -> str:
    """What is looked at: words of the last message, with those before it while they are fewer than `ENOUGH` characters."""
    out: list[str] = []
    size = 0
    for message in said:
        # Twice the most is looked through: some of it may be code.
        prose = prose_of("\n".join(text[: 2 * MOST] for text in message)[: 2 * MOST])
        words = " ".join(_NOT_WORDS.sub(" ", prose).split())[: MOST - size]
        if words:
            out.append(words)
            size += len(words) + 1
        if size >= ENOUGH:
            break
    return "\n".join(out)


def language_of(said: Iterable[Iterable[str]]) -> str:
    text = text_for_language(said)
    letters = sum(len(word.encode("utf-8", "surrogatepass")) for word in _LETTERS.findall(text))
    if letters < FEWEST_BYTES:
        return ""
    # Capitals alone are another language to a model of letters.
    sure: dict[str, float] = {}
    for code, share in _identifier().rank(text.lower() if text.isupper() else text):
        name = NAMED.get(code, code)
        sure[name] = sure.get(name, 0.0) + float(share)
    found = max(sure, key=lambda name: sure[name])
    return found if sure[found] >= SURE else ""


def known_codes() -> frozenset[str]:
    """Every code that can be told."""
    return frozenset(NAMED.get(code, code) for code in _identifier().nb_classes)
