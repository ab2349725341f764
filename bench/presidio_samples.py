"""Labelled sentences from presidio-research's generator, for `bench.quality_personal`.

    python bench/presidio_samples.py [--locale en_US] [--seed 7] [--count 5000] OUT.json

Runs in an environment of its own with `presidio-evaluator` 0.3.2, `faker`, `pandas` and `pyyaml` (`pip install --no-deps
presidio-evaluator==0.3.2`, then the others): policyd needs none of them. The package's own imports want a whole toolbox for
training that the generator does not need, so its two small types are put in place of them.
"""

import argparse
import json
import random
import sys
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Span:
    def __init__(self, entity_type: str, entity_value: str, start_position: int, end_position: int) -> None:
        self.entity_type, self.entity_value = entity_type, entity_value
        self.start_position, self.end_position = start_position, end_position


class InputSample:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def generator() -> Any:
    """The module of the generator, without the rest of its package."""
    spec = find_spec("presidio_evaluator")
    if spec is None or spec.origin is None:
        raise SystemExit("presidio-evaluator is not installed here")
    root = Path(spec.origin).parent
    package, inner = (
        types.ModuleType("presidio_evaluator"),
        types.ModuleType("presidio_evaluator.data_generator"),
    )
    package.__path__, inner.__path__ = [str(root)], [str(root / "data_generator")]
    package.InputSample, package.Span = InputSample, Span  # type: ignore[attr-defined]
    inner.raw_data_dir = root / "data_generator" / "raw_data"  # type: ignore[attr-defined]
    sys.modules |= {"presidio_evaluator": package, "presidio_evaluator.data_generator": inner}
    providers = import_module("presidio_evaluator.data_generator.faker_extensions.providers")
    providers.HospitalProvider.load_wiki_hospitals = lambda self: (
        self.default_list
    )  # nothing from the network
    return import_module("presidio_evaluator.data_generator.presidio_sentence_faker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locale", default="en_US")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    module = generator()
    random.seed(asked.seed)
    import_module("numpy").random.seed(asked.seed)
    faker = module.PresidioSentenceFaker(locale=asked.locale, lower_case_ratio=0.05, random_seed=asked.seed)
    made = faker.generate_new_fake_sentences(asked.count)
    rows = [
        {
            "text": row.full_text,
            "spans": [[span.entity_type, span.start_position, span.end_position] for span in row.spans],
        }
        for row in made
    ]
    asked.out.write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
