"""A byte-level tokenizer and a random two-layer Llama: real Hugging Face objects, small enough for a test."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

MOST_TOKENS = 600


def tiny_tokenizer(texts: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """256 bytes, two turn marks, no merges: every text round-trips, and a token is a byte. With `texts`, merges learnt
    from them: what is like them takes a quarter of the tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if texts:
        trainer = trainers.BpeTrainer(vocab_size=MOST_TOKENS, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(texts, trainer)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>", bos_token="<|im_start|>"
    )
    fast.chat_template = CHATML
    return fast


def tiny_model(vocab_size: int, seed: int = 0, hidden: int = 64, layers: int = 2) -> LlamaForCausalLM:
    """About 100k random float32 parameters with tied embeddings; a width of 128 is enough to learn to call tools."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=vocab_size - 1,
        eos_token_id=vocab_size - 2,
    )
    return LlamaForCausalLM(config).float()


def save_tiny(folder: Path, seed: int = 0, hidden: int = 64, layers: int = 2, texts: Sequence[str] = ()) -> Path:
    """Write model and tokenizer as a Hugging Face folder; returns it."""
    tokenizer = tiny_tokenizer(texts)
    tiny_model(len(tokenizer), seed, hidden, layers).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
