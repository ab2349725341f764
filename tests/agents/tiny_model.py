"""Writes a language model of about 150 KB with random weights, for llama.cpp's server.

In: a path. Out: a GGUF file at that path. What such a model says is noise, one letter at a time; its server is nevertheless
the real one and speaks every endpoint, which is all that the tests of the agents need. The same file is written every time.

    pip install gguf && python -m tests.agents.tiny_model tiny.gguf
"""

import sys
from typing import Any, Final

__all__ = ["write"]

EMBEDDING: Final = 32
FEED_FORWARD: Final = 64
HEADS: Final = 2
CONTEXT: Final = 262_144
"""Tokens. A letter is a token here, so an agent's 85 KB of tools and instructions need some 90,000."""

SPECIAL: Final = (b"<unk>", b"<s>", b"</s>")
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
TEMPLATE: Final = (
    "{%- for message in messages -%}<|{{ message.role }}|>\n{{ message.content }}\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>\n{%- endif -%}"
)


def write(path: str) -> None:
    """Needs the packages `gguf` and `numpy`, which nothing else here does."""
    import gguf  # noqa: PLC0415
    import numpy  # noqa: PLC0415

    letters = [*LETTERS, *(f"▁{letter}" for letter in LETTERS)]
    tokens = [*SPECIAL, *(b"<0x%02X>" % byte for byte in range(256)), *(text.encode() for text in letters)]
    kind = gguf.TokenType
    kinds = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256 + [kind.NORMAL] * len(letters)

    file: Any = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(EMBEDDING)
    file.add_block_count(1)
    file.add_feed_forward_length(FEED_FORWARD)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(EMBEDDING // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens)
    file.add_token_scores([0.0] * len(tokens))
    file.add_token_types(kinds)
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_chat_template(TEMPLATE)

    random = numpy.random.default_rng(1)
    ones = numpy.ones(EMBEDDING, dtype=numpy.float32)
    for name, shape in _weights(len(tokens)):
        drawn = random.standard_normal(shape).astype(numpy.float32) * 0.3
        file.add_tensor(name, ones if name.endswith("_norm.weight") else drawn)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _weights(vocabulary: int) -> list[tuple[str, tuple[int, ...]]]:
    square, grown = (EMBEDDING, EMBEDDING), (FEED_FORWARD, EMBEDDING)
    attention = [(f"blk.0.attn_{part}.weight", square) for part in ("q", "k", "v", "output")]
    return [
        ("token_embd.weight", (vocabulary, EMBEDDING)),
        ("output.weight", (vocabulary, EMBEDDING)),
        ("output_norm.weight", (EMBEDDING,)),
        ("blk.0.attn_norm.weight", (EMBEDDING,)),
        ("blk.0.ffn_norm.weight", (EMBEDDING,)),
        *attention,
        ("blk.0.ffn_gate.weight", grown),
        ("blk.0.ffn_up.weight", grown),
        ("blk.0.ffn_down.weight", (EMBEDDING, FEED_FORWARD)),
    ]


if __name__ == "__main__":
    write(sys.argv[1])
