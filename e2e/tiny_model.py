"""Make a tiny random model that an engine can serve: real safetensors, a real tokenizer, nothing downloaded.

tiny_model.py OUT_DIR [--kind KIND], run by an interpreter that has transformers, tokenizers and torch: the engine's.
The weights come from a fixed seed: greedy decoding gives the same text on every machine of one kind.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<think>", "</think>"]
SYLLABLES = ["ka", "to", "mi", "ren", "sol", "ver", "ing", "tion", "al", "est", "pro", "con", "der", "ly", "ment"]
CONTEXT = 2048
BERT_CONTEXT = 512
VOCABULARY = 4096
LAYERS = 2
HEADS = 4
HIDDEN = 128

QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
QWEN_VOCABULARY = 1024
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def corpus(lines: int = 4000) -> Iterator[str]:
    """Sentences of made-up words, enough to train a vocabulary on."""
    rng = random.Random(7)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(3000)]
    words += [
        "the",
        "a",
        "of",
        "and",
        "to",
        "in",
        "is",
        "you",
        "that",
        "it",
        "he",
        "was",
        "for",
        "on",
        "are",
        "as",
        "with",
        "his",
        "they",
        "at",
        "be",
        "this",
        "have",
    ]
    for _ in range(lines):
        yield " ".join(rng.choices(words, k=12)) + ". "


def byte_level(special: list[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer: every text has tokens, and every token has text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def word_piece() -> Any:
    """A BERT tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def save_chat_tokenizer(out: Path, tokenizer: Any, template: str, **special: str) -> None:
    """Write a tokenizer with its chat template where old and new releases of transformers both read it."""
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=CONTEXT, **special)
    fast.chat_template = template
    fast.save_pretrained(out)
    config_file = out / "tokenizer_config.json"
    config = json.loads(config_file.read_text())
    config |= {"chat_template": template, "tokenizer_class": "PreTrainedTokenizerFast"}
    config_file.write_text(json.dumps(config, indent=1))


def chat(out: Path) -> None:
    """Llama with weights: chats and completions."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_level(SPECIAL, VOCABULARY)
    save_chat_tokenizer(
        out, tokenizer, CHAT_TEMPLATE, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=HIDDEN,
            intermediate_size=2 * HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=CONTEXT,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=3,
            tie_word_embeddings=False,
        )
    )
    model.to(torch.bfloat16).save_pretrained(out, safe_serialization=True)


def qwen3(out: Path) -> None:
    """Qwen3 without weights, for engines that make them up: chats, reasoning, and embeddings."""
    tokenizer = byte_level(QWEN_SPECIAL, QWEN_VOCABULARY)
    save_chat_tokenizer(out, tokenizer, QWEN_TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    pad, end = (tokenizer.token_to_id(name) for name in ("<|endoftext|>", "<|im_end|>"))
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": HIDDEN // 2,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS // 2,
        "num_key_value_heads": HEADS // 2,
        "head_dim": HIDDEN // HEADS,
        "vocab_size": tokenizer.get_vocab_size(),
        "max_position_embeddings": 2 * CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "attention_bias": False,
        "bos_token_id": pad,
        "eos_token_id": end,
        "initializer_range": 0.02,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": LAYERS,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1))
    (out / "generation_config.json").write_text(json.dumps({"eos_token_id": end, "pad_token_id": pad}))


def bert(out: Path, labels: int | None) -> None:
    """BERT with weights: embeddings, or with `labels` a classifier, whose single one is a score."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

    tokenizer = word_piece()
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=BERT_CONTEXT).save_pretrained(out)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=BERT_CONTEXT,
        **({} if labels is None else {"num_labels": labels}),
    )
    model = BertModel(config) if labels is None else BertForSequenceClassification(config)
    model.to(torch.float32).save_pretrained(out, safe_serialization=True)


KINDS: dict[str, Callable[[Path], None]] = {
    "chat": chat,
    "qwen3": qwen3,
    "embed": lambda out: bert(out, labels=None),
    "rerank": lambda out: bert(out, labels=1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="chat")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    KINDS[args.kind](args.out)
    print(args.out, sum(file.stat().st_size for file in args.out.iterdir()), "bytes")


if __name__ == "__main__":
    main()
