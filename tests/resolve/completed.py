"""A whole policy around a fragment: what every example and case of the resolver needs and does not want to say."""

__all__ = ["completed"]

BEFORE = """\
edition 1
level sensitivity { public < internal < confidential }
string team from identity unknown reject
enum latency { interactive, batch } from header "x-latency" unknown interactive
string project from header "x-project" unknown "none"
classify sensitivity { starts at internal at least header "x-data-class" at least confidential when opaque }
target rack { location on_prem region eu retention none context 64k speaks chat, messages }
target cloud_a { location cloud region us retention 30 days context 200k speaks chat, messages }
limit burst 2M tokens per minute by team
"""
AFTER = """
route rest to rack, cloud_a
otherwise reject "no target may serve this request"
"""


def completed(fragment: str) -> str:
    """The fragment between declarations and a last route; one that has an `edition` is whole already."""
    return fragment if fragment.startswith("edition ") else BEFORE + fragment + AFTER
