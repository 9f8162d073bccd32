"""PyTorch's side of more layers of layers.safetensors: recurrent, convolutional, graphs, GPT."""

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from cases import Constant
from layer_cases import LAYERS, layer


def recurrent():
    sequences = lambda r: [r.uniform((2, 4, 3))]
    for name, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        layer(name + "/two_layers", kind(3, 4, num_layers=2, batch_first=True), sequences,
              lambda m, x: m(x)[0])
        layer(name + "/bidirectional", kind(3, 4, bidirectional=True, batch_first=True), sequences,
              lambda m, x: m(x)[0])


def convolutions():
    run = lambda m, x: m(x)
    layer("conv1d/strided", nn.Conv1d(4, 6, 3, stride=2, padding=1), lambda r: [r.uniform((2, 4, 9))],
          run)
    layer("conv1d/dilated_grouped", nn.Conv1d(4, 6, 3, dilation=2, groups=2),
          lambda r: [r.uniform((2, 4, 9))], run)
    layer("conv2d/depthwise", nn.Conv2d(4, 4, 3, padding=1, groups=4),
          lambda r: [r.uniform((2, 4, 5, 6))], run)
    layer("conv_transpose2d/plain", nn.ConvTranspose2d(4, 6, 3), lambda r: [r.uniform((2, 4, 3, 4))],
          run)
    layer("conv_transpose2d/strided_grouped",
          nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
          lambda r: [r.uniform((2, 4, 3, 4))], run)


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or width_in != width:
            self.downsample = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False),
                                            nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class SmallResNet(nn.Module):
    """Two stages of one block."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 3, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(3)
        self.layer1 = nn.Sequential(Block(3, 3, 1))
        self.layer2 = nn.Sequential(Block(3, 4, 2))

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return x.mean((2, 3))


def residual():
    layer("resnet", SmallResNet(), lambda r: [r.uniform((3, 2, 6, 6))], lambda m, x: m(x))


ROW = numpy.array([0, 0, 1, 2, 3, 3])
COLUMN = numpy.array([1, 2, 2, 4, 0, 4])  # node 5 has no edge


def adjacency(loops):
    a = torch.zeros(6, 6, dtype=torch.float64)
    a[ROW, COLUMN] = a[COLUMN, ROW] = 1
    return a + torch.eye(6, dtype=torch.float64) if loops else a


class Gcn(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin, self.bias = nn.Linear(3, 4, bias=False), nn.Parameter(torch.zeros(4))

    def forward(self, x):
        a = adjacency(True)
        d = a.sum(1).rsqrt()
        return d[:, None] * a * d[None, :] @ self.lin(x) + self.bias


class Sage(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin_l, self.lin_r = nn.Linear(3, 4), nn.Linear(3, 4, bias=False)

    def forward(self, x):
        a = adjacency(False)
        return self.lin_l(a @ x / a.sum(1, keepdim=True).clamp(min=1)) + self.lin_r(x)


class Gat(nn.Module):
    """Two heads of three features, in version 1 or 2."""

    def __init__(self, version2, concat):
        super().__init__()
        self.version2, self.concat = version2, concat
        for name in ("lin_l", "lin_r") if version2 else ("lin",):
            setattr(self, name, nn.Linear(3, 6, bias=False))
        for name in ("att",) if version2 else ("att_src", "att_dst"):
            setattr(self, name, nn.Parameter(torch.zeros(1, 2, 3)))
        self.bias = nn.Parameter(torch.zeros(6 if concat else 3))

    def forward(self, x):
        if self.version2:
            sent, met = self.lin_l(x).reshape(6, 2, 3), self.lin_r(x).reshape(6, 2, 3)
            e = (F.leaky_relu(met[:, None] + sent[None], 0.2) * self.att).sum(-1)
        else:
            sent = self.lin(x).reshape(6, 2, 3)
            e = F.leaky_relu((sent * self.att_dst).sum(-1)[:, None] +
                             (sent * self.att_src).sum(-1)[None], 0.2)
        e = e.masked_fill((adjacency(True) == 0)[:, :, None], -torch.inf)
        y = torch.einsum("ijh,jhd->ihd", e.softmax(1), sent)
        return (y.reshape(6, 6) if self.concat else y.mean(1)) + self.bias


class Gin(nn.Module):
    def __init__(self):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.nn = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))

    def forward(self, x):
        return self.nn((1 + self.eps) * x + adjacency(False) @ x)


def graphs():
    inputs = lambda r: [r.uniform((6, 3)), Constant(ROW), Constant(COLUMN)]
    for name, module in (("gcn", Gcn()), ("sage", Sage()), ("gat/concat", Gat(False, True)),
                         ("gat/mean", Gat(False, False)), ("gat/version2", Gat(True, True)),
                         ("gin", Gin())):
        layer(name, module, inputs, lambda m, x, row, column: m(x))


def gpt2_name(name, array):
    """As nn::gpt2_state_dict(): one projection each for q, k and v, weights [out, in]."""
    if ".c_attn." in name:
        return {name.replace("c_attn", which + "_proj"): part.T
                for which, part in zip("qkv", numpy.split(array, 3, axis=-1))}
    return {name: array.T if name.startswith("h.") else array}


LLAMA_NAMES = {
    "embed_tokens": "wte", "layers": "h", "self_attn.o_proj": "attn.c_proj", "self_attn": "attn",
    "mlp.gate_proj": "mlp.c_gate", "mlp.up_proj": "mlp.c_fc", "mlp.down_proj": "mlp.c_proj",
    "input_layernorm": "ln_1", "post_attention_layernorm": "ln_2",
}


def llama_name(name, array):
    for theirs, ours in LLAMA_NAMES.items():
        name = name.replace(theirs, ours)
    return {"ln_f.weight" if name == "norm.weight" else name: array}


def gpt():
    from transformers import GPT2Config, GPT2Model, LlamaConfig, LlamaModel
    ids = lambda r: [Constant(r.index((2, 5), 11))]

    def logits(table):
        return lambda m, ids: m(ids).last_hidden_state @ table(m).weight.T

    gpt2 = GPT2Model(GPT2Config(vocab_size=11, n_positions=6, n_embd=8, n_layer=2, n_head=2,
                                resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                                attn_implementation="eager")).double()
    layer("gpt/gpt2", gpt2, ids, logits(lambda m: m.wte), gpt2_name)
    llama = LlamaModel(LlamaConfig(vocab_size=11, hidden_size=8, intermediate_size=12,
                                   num_hidden_layers=2, num_attention_heads=4,
                                   num_key_value_heads=2, max_position_embeddings=6,
                                   rms_norm_eps=1e-6, attn_implementation="eager")).double()
    layer("gpt/llama", llama, ids, logits(lambda m: m.embed_tokens), llama_name)


def arrays():
    for group in (recurrent, convolutions, residual, graphs, gpt):
        group()
    return LAYERS
