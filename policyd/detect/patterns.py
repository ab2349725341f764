"""All tables of credentials in one row: which published formats are found, and under which name.

The tables: `private_keys`, `clouds`, `forges`, `models`, `services`, `general`. Credentials without a form of their own are
found by their labels (`labelled`). Not here: cards, account numbers and national ids, which are digits and need arithmetic.
"""

from typing import Final

from policyd.detect.clouds import CLOUDS
from policyd.detect.forges import FORGES
from policyd.detect.general import GENERAL
from policyd.detect.models import MODELS
from policyd.detect.pattern import Pattern
from policyd.detect.private_keys import PRIVATE_KEYS
from policyd.detect.services import SERVICES

__all__ = ["MARKERS", "PATTERNS", "Pattern"]

PATTERNS: Final[tuple[Pattern, ...]] = (*PRIVATE_KEYS, *CLOUDS, *FORGES, *MODELS, *SERVICES, *GENERAL)
"""Every format that is found by its shape."""

MARKERS: Final = frozenset(pattern.finding for pattern in PATTERNS if not pattern.whole)
"""Findings of which only a sign is reported: the first line of a vault, the line `kind: Secret` of a manifest."""
