#!/usr/bin/env python3
"""Writes tiny_bert/: a BERT of random weights with its tokeniser, and the sentence vectors that
transformers computes for some texts by mean pooling.

Needs torch, transformers, safetensors and tokenizers; the tests only read the files.
usage: make_tiny_bert.py
"""

import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

HERE = pathlib.Path(__file__).parent
TEXTS = ["the quick brown fox", "a teacher teaches", "", "caf\u00e9 \u4eca\u5929\u5929\u6c14", "the " * 40,
         "distillation separates what is useful from what is not", "dog"]


def main():
    golden = json.loads((HERE.parent / "data/tokenizer_golden.json").read_text())
    tokenizer = next(e for e in golden if e["name"] == "bert")["tokenizer"]
    folder = HERE / "tiny_bert"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer) + "\n")
    hf = Tokenizer.from_file(str(folder / "tokenizer.json"))
    config = BertConfig(vocab_size=hf.get_vocab_size(), hidden_size=24, num_hidden_layers=2,
                        num_attention_heads=3, intermediate_size=48, max_position_embeddings=32)
    torch.manual_seed(0)
    model = BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("LayerNorm.weight") else 0.0, 0.15)
    state = {name: value.half() for name, value in model.state_dict().items()
             if not name.endswith("position_ids")}
    save_file(state, str(folder / "model_f16.safetensors"))
    model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    keep = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
            "intermediate_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
            "hidden_act", "model_type", "hidden_dropout_prob"]
    (folder / "config.json").write_text(
        json.dumps({k: config.to_dict()[k] for k in keep}, indent=1) + "\n")
    vectors = []
    hf.enable_truncation(config.max_position_embeddings)
    for text in TEXTS:
        ids = torch.tensor([hf.encode(text).ids])
        with torch.no_grad():
            vectors.append(model(input_ids=ids).last_hidden_state.mean(1)[0].numpy())
    np.save(folder / "vectors.npy", np.stack(vectors))
    (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
