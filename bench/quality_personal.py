"""How well personal data is found: on sentences that others labelled, and on clean code, prose and JSON.

    python -m bench.quality_personal [--samples FILE.jsonl …] [--clean 10] [--skip 10]

Sentences: `tests/data/presidio/sample.jsonl` (presidio-research), and files of `bench/presidio_samples.py`, which its authors' generator
writes. A labelled value is found where a hit of its kind overlaps it; a hit of a kind is false where it overlaps no value with a
label of that kind. Bounds are exact where the hit is the value and nothing else. Clean texts are those of `bench.quality_secrets`;
what is found there is listed to be judged by a reader. Writes its sections of `bench/results/detectors.md`.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.quality import Score, listed, machine, table, write_section
from bench.quality_secrets import CORPORA, texts
from policyd.detect.detector import Hit
from policyd.detect.engine import Engine
from policyd.detect.personal import PERSONAL
from policyd.detect.views import views

SAMPLE: Final = Path(__file__).parent.parent / "tests" / "data" / "presidio" / "sample.jsonl"

LABELS: Final = {
    "CREDIT_CARD": "card-number",
    "IBAN_CODE": "iban",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "US_SSN": "national-id.us-ssn",
    "IP_ADDRESS": "ip-address",
    "US_DRIVER_LICENSE": "person.driving-licence",
}
"""Their names and ours."""

SHOWN: Final = 60

NOTE: Final = (
    "In the generator's sentences line ends are often the two characters `\\\\n`, and its numbers of telephones are drawn at random: many are in no "
    'numbering plan. *Anything else* are dates behind "born on" and "date of birth", which are `person.birth-date` to us and a time to its authors. '
    "Social security numbers in sentences of other languages are that country's numbers (a CPF in Portuguese), which need their own word."
)


def kind_of(name: str) -> str:
    return "ip-address" if name.startswith("ip-address") else name


def hits_in(engine: Engine, text: str) -> list[Hit]:
    """Hits with places in characters of the text."""
    return [
        Hit(kind_of(hit.name), *view.place(hit.start, hit.end))
        for view in views(text)
        for hit in dict.fromkeys(engine.hits(view.data))
    ]


def labelled(engine: Engine, path: Path) -> tuple[list[Score], int, int]:
    """A score for each kind, how many of the found values have exact bounds, and how many sentences there were."""
    scores = {kind: Score(kind) for kind in (*LABELS.values(), "anything else")}
    exact = sentences = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text, hits = row["text"], hits_in(engine, row["text"])
        sentences += 1
        values = [(LABELS[label], start, end) for label, start, end in row["spans"] if label in LABELS]
        for kind, start, end in values:
            found = [h for h in hits if h.name == kind and h.start < end and start < h.end]
            scores[kind].count(there=True, found=bool(found), words=repr(text[max(0, start - 30) : end + 10]))
            exact += any((h.start, h.end) == (start, end) for h in found)
        for hit in hits:
            if not any(k == hit.name and hit.start < e and s < hit.end for k, s, e in values):
                known = hit.name if hit.name in scores else "anything else"
                words = f"{hit.name}: {text[max(0, hit.start - 30) : hit.end + 10]!r}"
                scores[known].count(there=False, found=True, words=words)
    return list(scores.values()), exact, sentences


def report(engine: Engine, path: Path) -> str:
    scores, exact, sentences = labelled(engine, path)
    right = sum(score.right for score in scores)
    parts = [
        f"{sentences} sentences. Of {right} values found, {exact} have exactly the labelled bounds.",
        table(scores),
    ]
    for score in scores:
        for what, words in (("missed", score.missed), ("false", score.false)):
            if words:
                parts.append(f"{score.kind}, {what}:\n\n{listed(words, most=SHOWN)}")
    return "\n\n".join(parts)


def clean(engine: Engine, megabytes: int, skipped: int) -> Iterator[str]:
    for corpus, ends in CORPORA.items():
        counted: Counter[str] = Counter()
        examples: dict[str, dict[str, str]] = defaultdict(dict)
        number, size, spent = 0, 0, 0.0
        for _, text in texts(ends, megabytes, skipped):
            view = next(iter(views(text)))
            began = time.process_time()
            hits = list(engine.hits(view.data))
            spent += time.process_time() - began
            number, size = number + 1, size + len(view.data)
            for hit in hits:
                counted[hit.name] += 1
                around = view.data[max(0, hit.start - 30) : hit.end + 10].decode("utf-8", "replace")
                examples[hit.name].setdefault(
                    view.data[hit.start : hit.end].decode("utf-8", "replace"), repr(around)
                )
        yield f"**{corpus}**: {number} texts, {size / 1e6:.1f} MB, {size / 1e6 / spent:.0f} MB/s for all personal detectors together."
        yield "| finding | hits | different |\n|---|---:|---:|\n" + "\n".join(
            f"| {name} | {times} | {len(examples[name])} |" for name, times in sorted(counted.items())
        )
        for name in sorted(counted):
            if name != "email":  # those are people's
                yield f"{name}:\n\n{listed(list(examples[name].values()), most=20)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=Path, nargs="*", default=[])
    parser.add_argument("--clean", type=int, default=10, help="megabytes of each kind")
    parser.add_argument(
        "--skip", type=int, default=10, help="megabytes of each kind before them, on which rules were tried"
    )
    asked = parser.parse_args()
    engine = Engine(PERSONAL)
    parts = [machine(), f"### presidio-research, `{SAMPLE.name}`", report(engine, SAMPLE)]
    for path in asked.samples:
        parts += [f"### presidio-evaluator's generator, `{path.stem}`", report(engine, path)]
    parts.insert(1, NOTE)
    write_section("Personal data, labelled by others", "\n\n".join(parts))
    if asked.clean:
        write_section("Personal data in clean texts", "\n\n".join(clean(engine, asked.clean, asked.skip)))


if __name__ == "__main__":
    main()
