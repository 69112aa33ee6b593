"""Tiny models of transformers with random weights, saved as a publisher would save them."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTextConfig,
    SiglipVisionConfig,
)

SIDE = 32
_TEMPLATE = (
    "{% for m in messages %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}<end_of_utterance>"
)
_SPECIAL = (
    *("<pad>", "<bos>", "<eos>", "<unk>", "<image>", "<fake_token_around_image>"),
    *("<global-img>", "<end_of_utterance>"),
)
_VISION = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_TOWER = {**_VISION, "intermediate_size": 32, "image_size": SIDE, "patch_size": 8}


def tokenizer(*, framed: bool = False) -> PreTrainedTokenizerFast:
    """One token a character, every capital letter also after a blank; framed as CLIP wants it."""
    tokens = [*_SPECIAL, *string.printable]
    tokens += [f"\u0120{letter}" for letter in string.ascii_uppercase]
    model = WordLevel({token: n for n, token in enumerate(tokens)}, unk_token="<unk>")
    built = Tokenizer(model)
    built.pre_tokenizer = Split("", "isolated")
    if framed:
        ends = [("<bos>", 1), ("<eos>", 2)]
        built.post_processor = TemplateProcessing("<bos> $A <eos>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=built,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=[*_SPECIAL[4:]],
        model_max_length=4096,
    )


def save_clip(folder: Path) -> Path:
    """CLIPModel, its image processor and a tokenizer."""
    words = tokenizer(framed=True)
    text = CLIPTextConfig(
        vocab_size=len(words),
        **_VISION,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = CLIPModel(
        CLIPConfig(
            text_config=text.to_dict(),
            vision_config=CLIPVisionConfig(**_TOWER).to_dict(),
            projection_dim=12,
        )
    )
    size = {"height": SIDE, "width": SIDE}
    return _saved(
        folder, model, words, CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size)
    )


def save_siglip(folder: Path) -> Path:
    """SiglipModel, its image processor and a tokenizer."""
    words = tokenizer(framed=True)
    text = SiglipTextConfig(
        vocab_size=len(words),
        **_VISION,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    model = SiglipModel(
        SiglipConfig(
            text_config=text.to_dict(), vision_config=SiglipVisionConfig(**_TOWER).to_dict()
        )
    )
    processor = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    return _saved(folder, model, words, processor)


def save_llava(folder: Path) -> Path:
    """LlavaForConditionalGeneration with a CLIP tower and a Llama."""
    words = tokenizer()
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**_TOWER),
            text_config=_llama(words),
            image_token_index=words.convert_tokens_to_ids("<image>"),
            vision_feature_layer=-1,
        )
    )
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=_TEMPLATE,
        num_additional_image_tokens=1,
    )
    return _saved(folder, model, processor)


def save_idefics(folder: Path) -> Path:
    """Idefics3ForConditionalGeneration, the architecture of the first SmolVLM."""
    words = tokenizer()
    torch.manual_seed(0)
    model = Idefics3ForConditionalGeneration(
        Idefics3Config(
            vision_config=_TOWER,
            text_config=_llama(words),
            image_token_id=words.convert_tokens_to_ids("<image>"),
            scale_factor=2,
            pad_token_id=0,
        )
    )
    images = Idefics3ImageProcessor(
        size={"longest_edge": SIDE}, max_image_size={"longest_edge": SIDE}, do_image_splitting=False
    )
    processor = Idefics3Processor(images, words, image_seq_len=4, chat_template=_TEMPLATE)
    return _saved(folder, model, processor)


def save_silent(folder: Path) -> Path:
    """:func:`save_idefics`, but it answers anything rather than with a letter."""
    save_idefics(folder)
    model = Idefics3ForConditionalGeneration.from_pretrained(folder)
    letters = [
        n for token, n in tokenizer().get_vocab().items() if token.lstrip("\u0120").isupper()
    ]
    with torch.no_grad():
        model.lm_head.weight *= 50
        model.lm_head.weight[letters] = 0
    model.save_pretrained(folder)
    return folder


def _llama(words: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def _saved(folder: Path, *parts: Any) -> Path:
    for part in parts:
        if isinstance(part, torch.nn.Module):
            with torch.no_grad():  # the usual tiny initial weights would hardly see the picture
                for weights in (p for p in part.parameters() if p.ndim >= 2):
                    weights.normal_(0, 0.3)
        part.save_pretrained(folder)
    return folder
