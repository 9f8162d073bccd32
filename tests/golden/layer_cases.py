"""PyTorch's side of the layers in layers.safetensors.

A case is a module, its inputs and a function of both. Parameters and their gradients are stored
under Athanor's names: rename(name, array) gives {our name: array}, for modules that pack several
weights into one.
"""

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from cases import Random, Constant
from training import rounded

LAYERS = {}


def same(name, array):
    return {name: array}


def layer(name, module, inputs, run, rename=same):
    """inputs(random) gives the list; floating ones are differentiable unless Constant."""
    random = Random("layer/" + name)
    kept = set(module.state_dict())  # without buffers that are computed, such as angles
    buffers = [(key, b) for key, b in module.named_buffers()
               if key in kept and b.is_floating_point()]
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.from_numpy(random.uniform(tuple(p.shape), -0.7, 0.7)))
        for _, b in buffers:
            b.copy_(torch.from_numpy(random.uniform(tuple(b.shape), 0.5, 1.5)))
    arrays, tensors = {}, []
    for i, value in enumerate(inputs(random)):
        array = value.array if isinstance(value, Constant) else value
        arrays[f"{name}#in{i}"] = array
        tensor = torch.from_numpy(array.copy())
        moves = array.dtype == numpy.float64 and not isinstance(value, Constant)
        tensors.append(tensor.requires_grad_(moves))

    def put(kind, key, array):
        for ours, part in rename(key, array).items():
            arrays[f"{name}#{kind}:{ours}"] = numpy.ascontiguousarray(part)

    for key, value in module.named_parameters():
        put("start", key, value.detach().numpy().copy())
    for key, value in buffers:
        put("start", key, value.numpy().copy())
    out = run(module, *tensors)
    dy = random.uniform(tuple(out.shape), 0.5, 1.5)
    out.backward(torch.from_numpy(dy))
    arrays |= {f"{name}#out": out.detach().numpy(), f"{name}#dy": dy}
    for i, tensor in enumerate(tensors):
        if tensor.requires_grad:
            arrays[f"{name}#grad{i}"] = tensor.grad.numpy()
    for key, value in module.named_parameters():
        put("grad", key, value.grad.numpy())
    LAYERS.update(arrays)


def split_projection(name, array):
    """PyTorch packs the projections of q, k and v into in_proj."""
    if "in_proj_" not in name:
        return {name: array}
    parts = numpy.split(array, 3)
    return {name.replace("in_proj_", which + "_proj."): part for which, part in zip("qkv", parts)}


LENGTHS = Constant(numpy.array([5, 3]))
PADDED = torch.arange(5)[None, :] >= torch.tensor([[5], [3]])
CAUSAL = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)


def sequence(random):
    return [random.uniform((2, 5, 8))]


def padded_sequence(random):
    return sequence(random) + [LENGTHS]


def with_memory(width):
    return lambda random: [random.uniform((2, 5, 8)), random.uniform((2, 4, width))]


def norms():
    layer("layer_norm", nn.LayerNorm(8), sequence, lambda m, x: m(x))
    layer("rms_norm", nn.RMSNorm(8, eps=1e-6), sequence, lambda m, x: m(x))
    layer("group_norm", nn.GroupNorm(2, 6), lambda r: [r.uniform((3, 6, 2, 3))], lambda m, x: m(x))
    images = [r_shape for r_shape in ((5, 4), (3, 4, 5))]
    layer("batch_norm1d/rows", nn.BatchNorm1d(4), lambda r: [r.uniform(images[0])],
          lambda m, x: m(x))
    layer("batch_norm1d/signals", nn.BatchNorm1d(4), lambda r: [r.uniform(images[1])],
          lambda m, x: m(x))
    layer("batch_norm1d/eval", nn.BatchNorm1d(4).eval(), lambda r: [r.uniform(images[1])],
          lambda m, x: m(x))


class Grouped(nn.Module):
    """Four heads of queries on two of keys and values."""

    def __init__(self):
        super().__init__()
        self.q_proj, self.out_proj = nn.Linear(8, 8), nn.Linear(8, 8)
        self.k_proj, self.v_proj = nn.Linear(8, 4), nn.Linear(8, 4)

    def heads(self, x, count):
        return x.reshape(2, 5, count, 2).transpose(1, 2)

    def forward(self, x):
        q, k, v = (self.heads(f(x), n) for f, n in
                   ((self.q_proj, 4), (self.k_proj, 2), (self.v_proj, 2)))
        k, v = (t.repeat_interleave(2, dim=1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).reshape(2, 5, 8))


class Relative(Grouped):
    """A trained bias by head and distance, clipped to +-2."""

    def __init__(self):
        super().__init__()
        self.k_proj, self.v_proj = nn.Linear(8, 8), nn.Linear(8, 8)
        self.relative_bias = nn.Parameter(torch.zeros(5, 4))

    def forward(self, x):
        q, k, v = (self.heads(f(x), 4) for f in (self.q_proj, self.k_proj, self.v_proj))
        place = torch.arange(5)
        distance = (place[None, :] - place[:, None]).clamp(-2, 2) + 2
        bias = self.relative_bias[distance].permute(2, 0, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out_proj(y.transpose(1, 2).reshape(2, 5, 8))


def attention():
    def self_attention(**options):
        return lambda m, x, *rest: m(x, x, x, need_weights=False, **options)[0]

    layer("attention/self", nn.MultiheadAttention(8, 2, batch_first=True), sequence,
          self_attention(), split_projection)
    layer("attention/padded_causal", nn.MultiheadAttention(8, 2, batch_first=True),
          padded_sequence, self_attention(key_padding_mask=PADDED, attn_mask=CAUSAL),
          split_projection)

    def named(name, array):
        return split_projection(name.replace("_proj_weight", "_proj.weight"), array)

    layer("attention/cross", nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True),
          with_memory(6), lambda m, x, memory: m(x, memory, memory, need_weights=False)[0], named)
    layer("attention/grouped", Grouped(), sequence, lambda m, x: m(x))
    layer("attention/relative", Relative(), sequence, lambda m, x: m(x))


def transformers():
    for pre in (False, True):
        kind = "pre" if pre else "post"
        options = dict(dim_feedforward=12, dropout=0, batch_first=True, norm_first=pre)
        layer(f"encoder/{kind}_norm", nn.TransformerEncoderLayer(8, 2, activation="gelu", **options),
              padded_sequence, lambda m, x, n: m(x, src_key_padding_mask=PADDED), split_projection)
        layer(f"decoder/{kind}_norm", nn.TransformerDecoderLayer(8, 2, **options), with_memory(8),
              lambda m, x, memory: m(x, memory, tgt_mask=CAUSAL), split_projection)


def bert():
    from transformers import BertConfig, BertModel
    config = BertConfig(vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=12, max_position_embeddings=6, layer_norm_eps=1e-12,
                        hidden_dropout_prob=0, attention_probs_dropout_prob=0,
                        attn_implementation="eager")
    layer("bert", BertModel(config, add_pooling_layer=False).double(),
          lambda r: [Constant(r.index((2, 5), 11)), LENGTHS],
          lambda m, ids, n: m(ids, attention_mask=(~PADDED).long()).last_hidden_state)


def arrays():
    for group in (norms, attention, transformers, bert):
        group()
    return LAYERS
