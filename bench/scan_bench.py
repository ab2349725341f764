"""What it costs to see through disguises: folding and signs, and what is looked at twice, by size and kind of text.

    python -m bench.scan_bench [--rounds 3] [--out bench/results/scan.md]

One thread, CPU time, the best of some rounds. Everything is compared with plain text of the same size in the same run, because machines
differ more than texts do. The last table is hostile: text that has a sign of a disguise every few characters.
"""

import argparse
import base64
import platform
import random
import re
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from policyd.detect.scanner import Scanner
from policyd.detect.views import views
from policyd.detect.visible import searched

KB, MB = 1000, 1_000_000
SIZES = {"1 KB": KB, "100 KB": 100 * KB, "1 MB": MB, "4 MB": 4 * MB}
ROOT = Path(__file__).resolve().parent.parent

FLOODS = {
    "spaces": " ", "one letter": "a", "near-cards": "4111 1111 1111 1112 ", "`%41`": "%41", "`%41a`": "%41a", "`\\u0041`": "\\u0041",
    "`\\u0041a`": "\\u0041a", "`&lt;a`": "&lt;a", "`=3Da`": "=3Da", '`"a"+`': '"a"+', "`a b `": "a b ", "`ghp_ a1b2 `": "ghp_ a1b2 ",
    "base64 of one letter": "YWFh", "hexadecimal of one letter": "61", "zero-width spaces": "\u200b", "a letter and a zero-width space": "a\u200b",
    "two scripts in a word": "aaaaaaaА ", "letters in numbers": "4I11 1111 ",
}  # fmt: skip


def kinds(size: int) -> dict[str, str]:
    rng = random.Random(1)
    words = re.findall(r"[a-z]+", (ROOT / "docs" / "traffic.md").read_text())
    english = " ".join(rng.choices(words, k=size // 3))[:size]
    source = "".join(path.read_text() for path in sorted((ROOT / "policyd").rglob("*.py")))
    russian = "Проверка текста на русском языке, в котором есть и IT-компании, и 2024 год. "
    return {
        "English": english,
        "source code": (source * (size // len(source) + 1))[:size],
        "Russian": (russian * (size // len(russian.encode()) + 1))[
            : size * len(russian) // len(russian.encode())
        ],
        "random base64": base64.b64encode(rng.randbytes(size * 3 // 4)).decode(),
        "base64 of English, in lines": base64.encodebytes(english[: size * 72 // 100].encode()).decode()[
            :size
        ],
        "links": (
            "https://example.com/a%20page?q=some%20words&n=12 and words about it, a line or so. "
            * (size // 80 + 1)
        )[:size],
    }


def seconds(work: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
    return best


def shown(value: float) -> str:
    return f"{value * 1e6:.0f} µs" if value < 1e-3 else f"{value * 1e3:.1f} ms"


def table_of_kinds(rounds: int) -> list[str]:
    out = [
        "| | size | folded | with disguises taken off | looked at twice | scanned | of English |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, size in SIZES.items():
        english = 0.0
        for kind, text in kinds(size).items():
            again = rounds * (20 if size <= 100 * KB else 1)
            folded = seconds(lambda text=text: searched(text), again)  # type: ignore[misc]
            viewed = seconds(lambda text=text: [view.data for view in views(text)], again)  # type: ignore[misc]
            scanned = seconds(lambda text=text: Scanner().scan([text]), again)  # type: ignore[misc]
            first, *more = [len(view.data) for view in views(text)]
            english = english or scanned
            share = f"{100 * sum(more) / first:.1f}%"
            out.append(
                f"| {kind} | {name} | {shown(folded)} | {shown(viewed)} | {share} | {shown(scanned)} | {scanned / english:.2f} |"
            )
    return out


def table_of_floods(rounds: int) -> list[str]:
    out = ["| 4 MB of | disguises taken off | of that, 1 MB takes | scanned |", "|---|---|---|---|"]
    for name, flood in FLOODS.items():
        large, small = flood * (4 * MB // len(flood.encode())), flood * (MB // len(flood.encode()))
        viewed = seconds(lambda text=large: [view.data for view in views(text)], rounds)  # type: ignore[misc]
        quarter = seconds(lambda text=small: [view.data for view in views(text)], rounds)  # type: ignore[misc]
        scanned = seconds(lambda text=large: Scanner().scan([text]), 1)  # type: ignore[misc]
        out.append(f"| {name} | {shown(viewed)} | {100 * quarter / viewed:.0f}% | {shown(scanned)} |")
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "scan.md")
    options = parser.parse_args(arguments)
    Scanner().scan(kinds(100 * KB).values())
    parts = [
        "# Seeing through disguises",
        f"`python -m bench.scan_bench`. {platform.machine()}, {platform.python_implementation()} {platform.python_version()}, CPU time"
        " of one thread, the best of several rounds on a shared machine. What is compared was measured in the same run.",
        "## By kind of text",
        "`looked at twice` is the part of the text that is searched once more, because it stands around a disguise.",
        "\n".join(table_of_kinds(options.rounds)),
        "## Hostile text",
        "A quarter of the text takes a quarter of the time where the work is linear.",
        "\n".join(table_of_floods(options.rounds)),
        f"Largest resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB.",
    ]
    options.out.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
