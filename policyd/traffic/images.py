"""What an image costs in tokens, as a published rule, for servers that do not say."""

from typing import Final

__all__ = ["IMAGE_TOKENS"]

IMAGE_TOKENS: Final = 5_000
"""Tokens that one image is taken to cost. Anthropic publishes width x height / 750 with at most 1,568 px on the long edge
(1,600 tokens) and, for its high-resolution models, at most 4,784; OpenAI's tile and patch rules end below 3,000 except for
`detail: original`. A smaller image costs less: this is an upper bound for every size that these servers do not scale down
themselves, never an estimate."""
