#!/usr/bin/env python3
"""What `athanor export` writes, run by ONNX Runtime, against this project's own outputs.

usage: check_onnx.py ATHANOR [--images IDX_FILE --classifier MODEL.safetensors]...
                             [--texts FILE --encoder FOLDER]
For a classifier: probabilities of `athanor predict` on the images of an IDX file (IDX.gz too). For an
encoder: vectors of `athanor embed`. The largest difference must not exceed 1e-4. Needs numpy,
onnxruntime, and tokenizers for an encoder.
"""

import argparse
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

BOUND = 1e-4


def session(athanor, model, folder):
    path = pathlib.Path(folder, "model.onnx")
    subprocess.run([athanor, "export", model, "--to", "onnx", "--out", path], check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def report(name, ours, theirs):
    difference = float(numpy.abs(ours - theirs).max())
    print(f"{name}: {len(ours)} outputs of {ours.shape[1]}, largest difference {difference:.2e}")
    return difference > BOUND


def read_images(path, count):
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    _, n, height, width = struct.unpack(">IIII", data[:16])
    images = numpy.frombuffer(data, numpy.uint8, offset=16).reshape(n, height, width)
    return images[:count]


def classifier(athanor, model, images):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "images.npy")
        numpy.save(source, images)
        out = subprocess.run([athanor, "predict", model, source, "--json"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        ours = numpy.array([json.loads(line)["probabilities"] for line in out.splitlines()])
        run = session(athanor, model, folder)
        inputs = run.get_inputs()
        x = images[:, None].astype(numpy.float32) / 255
        logits = numpy.concatenate(
            [run.run(None, {inputs[0].name: x[i:i + 100]})[0] for i in range(0, len(x), 100)])
        shares = numpy.exp(logits - logits.max(1, keepdims=True))
        return report(pathlib.Path(model).name, ours, shares / shares.sum(1, keepdims=True))


def encoder(athanor, model, texts):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(model, "tokenizer.json")))
    tokenizer.enable_truncation(128)
    tokenizer.no_padding()
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "texts.txt"), pathlib.Path(folder, "vectors.npy")
        source.write_text("".join(t + "\n" for t in texts), encoding="utf8")
        subprocess.run([athanor, "embed", model, source, "--out", target, "--max-length", "128"],
                       check=True, stdout=subprocess.DEVNULL)
        ours = numpy.load(target)
        run = session(athanor, model, folder)
        names = [i.name for i in run.get_inputs()]
        theirs = []
        for text in texts:
            encoded = tokenizer.encode(text)
            by_kind = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask,
                       "token_type_ids": encoded.type_ids}
            feed = {n: numpy.array([by_kind[n]], numpy.int64) for n in names}
            theirs.append(run.run(["sentence_embedding"], feed)[0][0])
        return report(pathlib.Path(model).name, ours, numpy.stack(theirs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("athanor")
    parser.add_argument("--classifier", action="append", default=[])
    parser.add_argument("--images", type=pathlib.Path)
    parser.add_argument("--encoder", action="append", default=[])
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000, help="inputs at most")
    args = parser.parse_args()
    failed = False
    for model in args.classifier:
        failed |= classifier(args.athanor, model, read_images(args.images, args.count))
    for model in args.encoder:
        lines = args.texts.read_text(encoding="utf8").splitlines()[:args.count]
        failed |= encoder(args.athanor, model, [t.strip() for t in lines if t.strip()])
    sys.exit(failed)


if __name__ == "__main__":
    main()
