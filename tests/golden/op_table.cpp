// Athanor's side of the golden cases; PyTorch's side is in the *_cases.py beside this file.
#include "autograd/ops.h"
#include "tests/golden/golden.h"

namespace athanor::test {
namespace {

using Vars = std::vector<Variable>;
using Table = std::map<std::string, GoldenOp>;
using Unary = Variable (*)(const Variable&);
using Binary = Variable (*)(const Variable&, const Variable&);
using TensorUnary = Tensor (*)(const Tensor&);
using TensorBinary = Tensor (*)(const Tensor&, const Tensor&);

void add_elementwise(Table& t) {
  const std::pair<const char*, Unary> unary[] = {
      {"neg", neg},
      {"abs", abs},
      {"exp", exp},
      {"log", log},
      {"log1p", log1p},
      {"expm1", expm1},
      {"sqrt", sqrt},
      {"rsqrt", rsqrt},
      {"reciprocal", reciprocal},
      {"sin", sin},
      {"cos", cos},
      {"tanh", tanh},
      {"sigmoid", sigmoid},
      {"erf", erf},
      {"relu", relu},
      {"gelu", gelu},
      {"gelu_tanh", gelu_tanh},
      {"silu", silu},
      {"softplus", softplus},
      {"floor", floor},
      {"sign", sign},
      {"square", square},
  };
  for (const auto& [name, f] : unary) t[name] = [f = f](const Vars& x) { return f(x[0]); };
  const std::pair<const char*, Binary> binary[] = {
      {"add", add}, {"sub", sub},         {"mul", mul},         {"div", div},
      {"pow", pow}, {"maximum", maximum}, {"minimum", minimum}, {"maximum/ties", maximum},
  };
  for (const auto& [name, f] : binary) t[name] = [f = f](const Vars& x) { return f(x[0], x[1]); };
  const std::pair<const char*, TensorBinary> compare[] = {
      {"equal", equal},
      {"not_equal", not_equal},
      {"less", less},
      {"less_equal", less_equal},
      {"greater", greater},
      {"greater_equal", greater_equal},
      {"logical_and", logical_and},
      {"logical_or", logical_or},
      {"logical_xor", logical_xor},
  };
  for (const auto& [name, f] : compare) {
    t[name] = [f = f](const Vars& x) { return f(x[0].tensor(), x[1].tensor()); };
  }
  t["leaky_relu"] = [](const Vars& x) { return leaky_relu(x[0], 0.2); };
  t["elu"] = [](const Vars& x) { return elu(x[0], 1.5); };
  t["round"] = [](const Vars& x) { return round(x[0] * 2.0); };
  t["clamp"] = [](const Vars& x) { return clamp(x[0], -0.5, 1); };
  t["add/scalar"] = [](const Vars& x) { return x[0] + 1.25; };
  t["mul/scalar"] = [](const Vars& x) { return x[0] * -0.75; };
  t["pow/scalar"] = [](const Vars& x) { return pow(x[0], 2.5); };
  t["isfinite"] = [](const Vars& x) { return isfinite(reciprocal(floor(x[0].tensor()))); };
  t["isnan"] = [](const Vars& x) { return isnan(log(x[0].tensor())); };
  t["logical_not"] = [](const Vars& x) { return logical_not(floor(x[0].tensor())); };
  t["where"] = [](const Vars& x) { return where(x[0].tensor(), x[1], x[2]); };
  t["masked_fill"] = [](const Vars& x) { return masked_fill(x[0], x[1].tensor(), -3); };
  t["lerp"] = [](const Vars& x) { return lerp(x[0], x[1], x[2]); };
  t["cast"] = [](const Vars& x) { return cast(cast(x[0], DType::f32), DType::f64); };
  // The mask is given: the product is what dropout records.
  t["dropout"] = [](const Vars& x) { return x[0] * x[1] * 2.0; };
}

void add_reductions(Table& t) {
  t["sum"] = [](const Vars& x) { return sum(x[0]); };
  t["sum/axes"] = [](const Vars& x) { return sum(x[0], {0, 2}, true); };
  t["mean"] = [](const Vars& x) { return mean(x[0]); };
  t["mean/axes"] = [](const Vars& x) { return mean(x[0], {1, 2}); };
  t["amax"] = [](const Vars& x) { return amax(x[0], {1}); };
  t["amax/ties"] = t["amax"];
  t["amin"] = [](const Vars& x) { return amin(x[0], {0, 2}, true); };
  t["any"] = [](const Vars& x) {
    return any(greater(x[0].tensor(), scalar(1.5, x[0].dtype())), {1});
  };
  t["all"] = [](const Vars& x) {
    return all(greater(x[0].tensor(), scalar(-1.5, x[0].dtype())), {1});
  };
  t["sum_to"] = [](const Vars& x) { return sum_to(x[0], {4, 1}); };
  t["var"] = [](const Vars& x) { return var(x[0], {1, 2}, false, 1); };
  t["stddev"] = [](const Vars& x) { return stddev(x[0], {0}); };
  t["norm"] = [](const Vars& x) { return norm(x[0], {0, 2}); };
  t["l2_normalize"] = [](const Vars& x) { return l2_normalize(x[0]); };
  t["softmax"] = [](const Vars& x) { return softmax(x[0]); };
  t["softmax/axis0"] = [](const Vars& x) { return softmax(x[0], 0); };
  t["log_softmax"] = [](const Vars& x) { return log_softmax(x[0], 1); };
  t["logsumexp"] = [](const Vars& x) { return logsumexp(x[0], {1}); };
  t["cumsum"] = [](const Vars& x) { return cumsum(x[0], 1); };
  t["cumsum/reverse"] = [](const Vars& x) { return cumsum(x[0], 2, true); };
  t["sort"] = [](const Vars& x) { return sort(x[0], 1, true).values; };
  t["topk"] = [](const Vars& x) { return topk(x[0], 3).values; };
  t["argsort"] = [](const Vars& x) { return argsort(x[0].tensor(), 2); };
  t["argmax"] = [](const Vars& x) { return argmax(x[0].tensor(), 1); };
  t["argmin"] = [](const Vars& x) { return argmin(x[0].tensor(), 2); };
}

void add_shapes(Table& t) {
  t["reshape"] = [](const Vars& x) { return reshape(transpose(x[0], 0, 2), {10, 6}); };
  t["flatten"] = [](const Vars& x) { return flatten(x[0]); };
  t["permute"] = [](const Vars& x) { return permute(x[0], {2, 0, 1}); };
  t["transpose"] = [](const Vars& x) { return transpose(x[0], 0, -1); };
  t["slice"] = [](const Vars& x) { return slice(x[0], 1, 1, 8, 3); };
  t["select"] = [](const Vars& x) { return select(x[0], 1, -2); };
  t["expand"] = [](const Vars& x) { return expand(x[0], {2, 3, 4}); };
  t["as_strided"] = [](const Vars& x) { return as_strided(x[0], {3, 2, 4}, {4, 1, 2}, 3); };
  t["unsqueeze"] = [](const Vars& x) { return unsqueeze(x[0], 1); };
  t["squeeze"] = [](const Vars& x) { return squeeze(x[0], 1); };
  t["cat"] = [](const Vars& x) { return cat(x, 1); };
  t["stack"] = [](const Vars& x) { return stack(x, -1); };
  t["split"] = [](const Vars& x) { return split(x[0], {2, 4, 1}, 1)[1]; };
  t["chunk"] = [](const Vars& x) { return chunk(x[0], 3)[1]; };
  t["pad"] = [](const Vars& x) { return pad(x[0], {{0, 3}, {2, 1}}, 1.5); };
  t["crop"] = [](const Vars& x) { return crop(x[0], {{1, 1}, {2, 1}}); };
  t["flip"] = [](const Vars& x) { return flip(x[0], {0, 2}); };
  t["roll"] = [](const Vars& x) { return roll(x[0], -7, 1); };
  t["einsum"] = [](const Vars& x) { return einsum("bij,bjk->ikb", x); };
  t["einsum/three"] = [](const Vars& x) { return einsum("ij,j,kj->ik", x); };
  t["matmul"] = [](const Vars& x) { return matmul(x[0], x[1]); };
  t["matmul/batched"] = t["matmul/vector"] = t["matmul"];
  t["linear"] = [](const Vars& x) { return linear(x[0], x[1], x[2]); };
  t["index_select"] = [](const Vars& x) { return index_select(x[0], 1, x[1].tensor()); };
  t["index_add"] = [](const Vars& x) { return index_add(x[0], 0, x[1].tensor(), 4); };
  t["take_along_axis"] = [](const Vars& x) { return take_along_axis(x[0], x[1].tensor(), 1); };
  t["scatter_add"] = [](const Vars& x) { return scatter_add(x[0], x[1].tensor(), 1, 4); };
  t["embedding"] = [](const Vars& x) { return embedding(x[0], x[1].tensor()); };
  t["one_hot"] = [](const Vars& x) { return one_hot(x[0].tensor(), 4); };
  t["clone"] = [](const Vars& x) { return clone(transpose(x[0])); };
  t["contiguous"] = [](const Vars& x) { return contiguous(transpose(x[0])); };
  t["unslice"] = [](const Vars& x) { return unslice(x[0], 1, 9, 1, 3); };
  t["unique/values"] = [](const Vars& x) { return unique(x[0].tensor()).values; };
  t["unique/index"] = [](const Vars& x) { return unique(x[0].tensor()).index; };
  t["unique/counts"] = [](const Vars& x) { return unique(x[0].tensor()).counts; };
}

void add_creation(Table& t) {
  const auto number = [](const Vars& x, int i) { return select(x[0].tensor(), 0, i).item(); };
  t["arange"] = [=](const Vars& x) { return arange(6, x[0].dtype(), number(x, 0), number(x, 1)); };
  t["linspace"] = [=](const Vars& x) {
    return linspace(number(x, 0), number(x, 1), 7, x[0].dtype());
  };
  t["eye"] = [=](const Vars& x) { return mul(eye(3, 5, x[0].dtype()), number(x, 0)); };
  t["full"] = [=](const Vars& x) { return full({2, 3}, number(x, 0), x[0].dtype()); };
}

Variable normalised(const Vars& x, bool training, bool relu) {
  Tensor running_mean = clone(x[3].tensor()), running_var = clone(x[4].tensor());
  BatchNormOptions options;
  options.training = training;
  options.relu = relu;
  return batch_norm(x[0], x[1], x[2], running_mean, running_var, options);
}

void add_images(Table& t) {
  t["conv2d"] = [](const Vars& x) { return conv2d(x[0], x[1], x[2], {.padding = 1}); };
  t["conv2d/strided"] = [](const Vars& x) {
    return conv2d(x[0], x[1], x[2],
                  {.stride = {2, 1}, .padding = {2, 1}, .dilation = {1, 2}, .groups = 2});
  };
  t["conv2d/depthwise"] = [](const Vars& x) { return conv2d(x[0], x[1], {}, {.groups = 4}); };
  t["conv2d_max_pool2d"] = [](const Vars& x) {
    return conv2d_max_pool2d(x[0], x[1], x[2], {.padding = 1, .relu = true});
  };
  t["max_pool2d"] = [](const Vars& x) {
    return max_pool2d(x[0], {.kernel = 3, .stride = 2, .padding = 1});
  };
  t["avg_pool2d"] = [](const Vars& x) {
    return avg_pool2d(x[0], {.kernel = 3, .stride = 2, .padding = 1});
  };
  t["global_avg_pool2d"] = [](const Vars& x) { return global_avg_pool2d(x[0]); };
  t["batch_norm"] = [](const Vars& x) { return normalised(x, true, false); };
  t["batch_norm/inference"] = [](const Vars& x) { return normalised(x, false, false); };
  t["batch_norm/relu"] = [](const Vars& x) { return normalised(x, true, true); };
  t["conv2d_batch_norm"] = [](const Vars& x) {
    Tensor mean = zeros({3}, x[0].dtype()), var = ones({3}, x[0].dtype());
    return conv2d_batch_norm(x[0], x[1], {}, x[2], x[3], mean, var,
                             {{.padding = 1}, {.relu = true}, Pool2dOptions{}});
  };
  t["batch_norm_max_pool2d"] = [](const Vars& x) {
    Tensor running_mean = clone(x[3].tensor()), running_var = clone(x[4].tensor());
    return batch_norm_max_pool2d(x[0], x[1], x[2], running_mean, running_var, {.relu = true});
  };
}

void add_resampling(Table& t) {
  t["conv1d"] = [](const Vars& x) {
    return conv1d(x[0], x[1], x[2], {.stride = 2, .padding = 2, .dilation = 2, .groups = 2});
  };
  t["conv_transpose1d"] = [](const Vars& x) {
    return conv_transpose1d(x[0], x[1], x[2],
                            {.stride = 3, .padding = 1, .output_padding = 2, .groups = 2});
  };
  t["conv_transpose2d"] = [](const Vars& x) {
    return conv_transpose2d(x[0], x[1], x[2], {.stride = 2, .padding = 1, .output_padding = 1});
  };
  t["conv_transpose2d/groups"] = [](const Vars& x) {
    return conv_transpose2d(x[0], x[1], x[2], {.stride = {1, 3}, .dilation = {2, 1}, .groups = 2});
  };
  t["conv2d_backward_input"] = [](const Vars& x) {
    return conv2d_backward_input(x[0], x[1], {2, 2, 4, 3});
  };
  t["conv2d_backward_weight"] = [](const Vars& x) {
    return conv2d_backward_weight(x[0], x[1], {3, 2, 2, 2});
  };
  t["avg_pool2d_backward"] = [](const Vars& x) { return avg_pool2d_backward(x[0], {2, 3, 6, 6}); };
  t["max_pool2d_backward"] = [](const Vars& x) {
    return max_pool2d_backward(x[0], cast(x[1].tensor(), DType::i32), {2, 3, 6, 6});
  };
  t["max_pool2d_gather"] = [](const Vars& x) {
    return max_pool2d_gather(x[0], cast(x[1].tensor(), DType::i32));
  };
  t["channels_last"] = [](const Vars& x) { return channels_last(x[0]); };
  const Pool1dOptions pool{.kernel = 3, .stride = 2, .padding = 1};
  t["max_pool1d"] = [=](const Vars& x) { return max_pool1d(x[0], pool); };
  t["avg_pool1d"] = [=](const Vars& x) { return avg_pool1d(x[0], pool); };
  t["adaptive_avg_pool1d"] = [](const Vars& x) { return adaptive_avg_pool1d(x[0], 4); };
  t["adaptive_max_pool1d"] = [](const Vars& x) { return adaptive_max_pool1d(x[0], 4); };
  t["adaptive_avg_pool2d"] = [](const Vars& x) { return adaptive_avg_pool2d(x[0], {3, 5}); };
  t["adaptive_max_pool2d"] = [](const Vars& x) { return adaptive_max_pool2d(x[0], {3, 5}); };
  t["upsample_nearest2d"] = [](const Vars& x) { return upsample_nearest2d(x[0], {6, 5}); };
  t["upsample_bilinear2d"] = [](const Vars& x) { return upsample_bilinear2d(x[0], {6, 5}); };
  t["upsample_bilinear2d/corners"] = [](const Vars& x) {
    return upsample_bilinear2d(x[0], {6, 5}, true);
  };
  t["group_norm"] = [](const Vars& x) { return group_norm(x[0], 2, x[1], x[2]); };
  t["instance_norm"] = [](const Vars& x) { return instance_norm(x[0], x[1], x[2]); };
}

void add_attention(Table& t) {
  t["layer_norm"] = [](const Vars& x) { return layer_norm(x[0], x[1], x[2]); };
  t["layer_norm/plain"] = [](const Vars& x) { return layer_norm(x[0]); };
  t["rms_norm"] = [](const Vars& x) { return rms_norm(x[0], x[1]); };
  t["add_layer_norm"] = [](const Vars& x) { return add_layer_norm(x[0], x[1], x[2], x[3]).y; };
  t["add_layer_norm/sum"] = [](const Vars& x) {
    const AddNormVariables result = add_layer_norm(x[0], x[1], x[2], x[3]);
    return result.sum + result.y * 0.0;
  };
  t["add_rms_norm"] = [](const Vars& x) { return add_rms_norm(x[0], x[1], x[2]).y; };
  t["attention"] = [](const Vars& x) { return attention(x[0], x[1], x[2]); };
  t["attention/groups"] = t["attention"];
  t["attention/causal"] = [](const Vars& x) {
    return attention(x[0], x[1], x[2], {.causal = true});
  };
  t["attention/mask"] = [](const Vars& x) { return attention(x[0], x[1], x[2], {}, x[3]); };
  t["attention/lengths"] = [](const Vars& x) {
    AttentionOptions options;
    options.key_lengths = x[3].tensor();
    return attention(x[0], x[1], x[2], options);
  };
}

void add_losses(Table& t) {
  t["cross_entropy"] = [](const Vars& x) { return cross_entropy(x[0], x[1].tensor()); };
  t["cross_entropy/smoothing"] = [](const Vars& x) {
    return cross_entropy(x[0], x[1].tensor(), {}, 0.1);
  };
  t["cross_entropy/weights"] = [](const Vars& x) {
    return cross_entropy(x[0], x[1].tensor(), x[2]);
  };
  t["cross_entropy/ignore"] = [](const Vars& x) {
    return cross_entropy(x[0], x[1].tensor(), CrossEntropyOptions{.ignore_class = 1});
  };
  t["cross_entropy/options"] = [](const Vars& x) {
    return cross_entropy(x[0], x[1].tensor(), CrossEntropyOptions{0.1, 1, x[2].tensor()});
  };
  t["cross_entropy_by_row"] = [](const Vars& x) {
    return cross_entropy_by_row(x[0], x[1].tensor());
  };
  t["soft_cross_entropy"] = [](const Vars& x) { return soft_cross_entropy(x[0], x[1]); };
  t["nll"] = [](const Vars& x) { return nll(x[0], x[1].tensor()); };
  t["gce"] = [](const Vars& x) { return gce(x[0], x[1].tensor(), 0.7); };
  t["kl_div_by_row"] = [](const Vars& x) { return kl_div_by_row(x[0], x[1], 4); };
  t["kl_div_with_temperature"] = [](const Vars& x) {
    return kl_div_with_temperature(x[0], x[1], 2);
  };
}

using ValueLoss = std::function<Variable(const Variable& x, const Variable& t, Reduction)>;

void add_value_loss(Table& t, const std::string& name, const ValueLoss& loss) {
  const std::pair<const char*, Reduction> reductions[] = {
      {"", Reduction::mean}, {"/sum", Reduction::sum}, {"/none", Reduction::none}};
  for (const auto& [suffix, reduction] : reductions) {
    t[name + suffix] = [=, r = reduction](const Vars& x) { return loss(x[0], x[1], r); };
  }
}

void add_value_losses(Table& t) {
  add_value_loss(t, "mse_loss", [](auto& x, auto& y, auto r) { return mse_loss(x, y, r); });
  add_value_loss(t, "l1_loss", [](auto& x, auto& y, auto r) { return l1_loss(x, y, r); });
  add_value_loss(t, "huber_loss",
                 [](auto& x, auto& y, auto r) { return huber_loss(x, y, 0.7, r); });
  add_value_loss(t, "smooth_l1_loss",
                 [](auto& x, auto& y, auto r) { return smooth_l1_loss(x, y, 0.7, r); });
  add_value_loss(t, "bce_with_logits",
                 [](auto& x, auto& y, auto r) { return bce_with_logits(x, y, r); });
  t["bce_with_logits/weight"] = [](const Vars& x) {
    return bce_with_logits(x[0], x[1], Reduction::mean, x[2]);
  };
  t["kl_div"] = [](const Vars& x) { return kl_div(x[0], x[1]); };
  t["cosine_similarity"] = [](const Vars& x) { return cosine_similarity(x[0], x[1]); };
  t["cosine_embedding_loss"] = [](const Vars& x) {
    return cosine_embedding_loss(x[0], x[1], x[2].tensor(), -0.2);
  };
}

void add_graphs(Table& t) {
  using Reduce = Variable (*)(const Variable&, const Segments&);
  const std::pair<const char*, Reduce> reductions[] = {{"segment_sum", segment_sum},
                                                       {"segment_mean", segment_mean},
                                                       {"segment_max", segment_max},
                                                       {"segment_softmax", segment_softmax}};
  for (const auto& [name, f] : reductions) {
    t[name] = [f = f](const Vars& x) { return f(x[0], Segments(x[1].tensor(), 4)); };
  }
  t["sparse_matmul"] = [](const Vars& x) {
    return sparse_matmul(SparsePattern(x[0].tensor(), x[1].tensor(), 4, 5), x[2], x[3]);
  };
  t["sparse_dot"] = [](const Vars& x) {
    return sparse_dot(SparsePattern(x[0].tensor(), x[1].tensor(), 4, 5), x[2], x[3]);
  };
}

}  // namespace

const std::map<std::string, GoldenOp>& golden_ops() {
  static const Table table = [] {
    Table t;
    add_elementwise(t);
    add_reductions(t);
    add_creation(t);
    add_shapes(t);
    add_images(t);
    add_resampling(t);
    add_attention(t);
    add_losses(t);
    add_value_losses(t);
    add_graphs(t);
    return t;
  }();
  return table;
}

}  // namespace athanor::test
