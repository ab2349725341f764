"""What an image costs in tokens, as a rule, for servers that do not say before they are asked."""

from typing import Final

__all__ = ["BOUNDED_IMAGE_TOKENS", "LARGE_IMAGE_TOKENS", "SCALED_IMAGE_TOKENS"]

SCALED_IMAGE_TOKENS: Final = 5_000
"""In Anthropic's dialect. Its servers scale images down before they read them, to some 1,600 tokens, and to less than 5,000
for the models that take larger images."""

BOUNDED_IMAGE_TOKENS: Final = 3_000
"""In OpenAI's dialect with `detail` `low` or `high`: the server scales the image down."""

LARGE_IMAGE_TOKENS: Final = 16_384
"""In OpenAI's dialect otherwise (`auto`, `original`, none): patches of 32 pixels of the whole image, up to 10,000 of them times
a factor, and as many in open vision models by default. An upper bound, not an estimate: a small screenshot costs a tenth."""
