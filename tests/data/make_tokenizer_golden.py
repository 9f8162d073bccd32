#!/usr/bin/env python3
"""Writes tokenizer_golden.json: small tokenisers and the ids that Hugging Face's library gives.

Needs the Python package tokenizers; the tests only read the file. usage: make_tokenizer_golden.py
"""

import json
import pathlib

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

CORPUS = [
    "the quick brown fox jumps over the lazy dog", "a teacher teaches, a student learns",
    "distillation separates what is useful from what is not", "12 345 6789 numbers 2024",
    "caf\u00e9 na\u00efve \u00fcber stra\u00dfe \u00c5ngstr\u00f6m", "it's we've they'll I'm can't he'd you're",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d \u6211\u4eec\u53bb\u516c\u56ed", "\u3053\u3093\u306b\u3061\u306f \u30ab\u30bf\u30ab\u30ca", "\u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "    indented code { return x + 1; }", "emoji \U0001f600 and \u2764\ufe0f", "unbelievable unhappiness redoing",
] * 3

TEXTS = [
    "", " ", "the quick brown fox", "The QUICK  brown\tfox\njumps", "a teacher's student, and we've learnt!",
    "caf\u00e9 CAF\u00c9 cafe\u0301 na\u00efve \u0130stanbul \u1e9b\u0323 \ufb01x \u2460", "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u3053\u3093\u306b\u3061\u306f",
    "[SEP] in [MASK] text [CLS]", "x" * 120, "unbelievable!!! ... --- ##the", "12 345678 1/2 \u0663\u0664",
    "a\u0000b\u0007c\ufffdd\u200be\u00adf", "tab\tline\r\nend  \n\n  next", "\u00a0nbsp\u3000ideographic\u2028sep\u0085nel",
    "\U0001f600\u2764\ufe0f\U0001f468\u200d\U0001f469", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "I'LL they'Ll we'VE o'clock '", "trailing   ", "   leading", "a  b   c    d", "<x>mid<x> word<y>word <y>",
    "\uac00\u1100\u1161 \u302e\u0323a\u302e\u0301", "e\u0323\u0301 \u0301\u0323", "price: $5.00 + 10% = ?", "_under_score__ a-b",
    "the teacher the student the dog the fox the the the", "\U00020000\U0002f800\u9fff",
]
PAIRS = [("the quick fox", "a lazy dog"), ("a", ""), ("", "b"),
         ("the teacher teaches the student what is useful", "dog"),
         ("dog", "the teacher teaches the student what is useful"),
         ("the teacher teaches the student", "the student learns from the teacher")]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def bert(size=400, **options):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(**options)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    cls, sep = t.token_to_id("[CLS]"), t.token_to_id("[SEP]")
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    return t


def byte_level(pre_tokenizer, size=420):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizer
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def tokenizers():
    yield "bert", bert()
    yield "bert cased", bert(lowercase=False, strip_accents=False, handle_chinese_chars=False)
    yield "bert dirty", bert(clean_text=False, strip_accents=False)
    t = bert()
    t.enable_truncation(8)
    t.enable_padding(pad_id=0, pad_to_multiple_of=4)
    yield "bert truncated", t
    t = bert()
    t.enable_truncation(9, strategy="only_first", direction="left")
    yield "bert only first", t
    t = bert()
    t.add_tokens([AddedToken("<x>", lstrip=True, rstrip=True), AddedToken("<y>", single_word=True),
                  AddedToken("Quick", normalized=True), AddedToken("Fox", normalized=False)])
    yield "bert added", t
    yield "gpt2", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "gpt2 prefix", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))
    yield "llama3", byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    t = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                            pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    yield "digits", t
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" ", "\u2581"),
                                         normalizers.Prepend("\u2581")])
    t.decoder = decoders.Fuse()
    t.train_from_iterator(["the quick brown fox " * 4, "abcdefghijklmnopqrstuvwxyz,."],
                          trainers.BpeTrainer(vocab_size=80, special_tokens=["<unk>"],
                                              show_progress=False))
    yield "characters merged", t
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(),
                                         normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(),
                                               pre_tokenizers.Split("th", "merged_with_next"),
                                               pre_tokenizers.Punctuation("contiguous")])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=["[UNK]"],
                                                            show_progress=False))
    yield "words", t


def encoded(encoding):
    return {"ids": encoding.ids, "types": encoding.type_ids}


def attempt(call):
    try:
        return encoded(call())
    except Exception as error:  # truncation that leaves nothing
        return {"error": str(error)}


def main():
    golden = []
    for name, t in tokenizers():
        texts = [t for t in TEXTS]
        entry = {"name": name, "tokenizer": json.loads(t.to_str()),
                 "texts": [dict(text=x, **attempt(lambda: t.encode(x))) for x in texts],
                 "pairs": [dict(first=a, second=b, **attempt(lambda: t.encode(a, b)))
                           for a, b in PAIRS],
                 "decoded": []}
        if t.decoder is not None:
            for x in texts:
                ids = t.encode(x).ids
                entry["decoded"].append({"ids": ids, "text": t.decode(ids)})
        golden.append(entry)
    path = pathlib.Path(__file__).with_name("tokenizer_golden.json")
    path.write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
