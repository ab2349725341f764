"""Writes a language model of some 100 KB with random weights, for the server of transformers.

In: a folder. Out: a checkpoint and its tokenizer in that folder. It knows 61 words, takes every other word for the unknown
one, so that an agent's 85 KB are some 20,000 tokens, and ends its answers by chance after some 60 of them.

    pip install "transformers[serving]" torch && python -m tests.agents.tiny_checkpoint tiny
"""

import sys
from typing import Any, Final

__all__ = ["write"]

CONTEXT: Final = 262_144
WORDS: Final = tuple(f"{first}{second}" for first in "bdfgklmnprst" for second in "aeiou")
TEMPLATE: Final = (
    "{%- for message in messages -%}{{ message.role }} {{ message.content }} {% endfor -%}"
    "{%- if add_generation_prompt -%}assistant {%- endif -%}"
)


def write(folder: str) -> None:
    """Needs `transformers` and `torch`, which nothing else here does."""
    import tokenizers  # noqa: PLC0415
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    vocabulary = {word: number for number, word in enumerate(("<unk>", "<s>", "</s>", "assistant", *WORDS))}
    words: Any = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer: Any = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)

    torch.manual_seed(1)
    shape: Any = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=CONTEXT, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model: Any = transformers.LlamaForCausalLM(shape)
    # Without chance a random model says one word for ever, and agents allow it 64,000.
    model.generation_config.do_sample = True
    model.save_pretrained(folder)


if __name__ == "__main__":
    write(sys.argv[1])
