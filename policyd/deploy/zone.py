"""The deployment's time zone by name. UTC needs no time zone data, which small machines do not have."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["zone_of"]


def zone_of(name: str) -> tzinfo:
    """INVARIANT: the deployment was read, so the name is one that this machine knows."""
    return UTC if name == "UTC" else ZoneInfo(name)
