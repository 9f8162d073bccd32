// Norms, attention, transformer layers and BERT.
#include <catch2/catch.hpp>

#include "autograd/ops.h"
#include "nn/bert.h"
#include "nn/norm.h"
#include "nn/transformer.h"
#include "tests/nn/layer_case.h"

using namespace athanor;
using namespace athanor::nn;
using namespace athanor::test;

namespace {

// make_shared<M>(arguments..., generator)
template <class M, class... Args>
auto with_generator(Args... args) {
  return [=](Generator& generator) -> std::shared_ptr<Module> {
    return std::make_shared<M>(args..., generator);
  };
}
template <class M, class... Args>
auto made(Args... args) {
  return [=](Generator&) -> std::shared_ptr<Module> { return std::make_shared<M>(args...); };
}

AttentionMask padded(const Variable& lengths) {
  AttentionMask mask;
  mask.key_lengths = lengths.tensor();
  return mask;
}

Variable attend_padded(Module& m, const LayerInputs& x) {
  return dynamic_cast<MultiHeadAttention&>(m).attend_to(x[0], x[0], padded(x[1]));
}
Variable attend_memory(Module& m, const LayerInputs& x) {
  return dynamic_cast<MultiHeadAttention&>(m).attend_to(x[0], x[1], {});
}
Variable encode_padded(Module& m, const LayerInputs& x) {
  return dynamic_cast<TransformerLayer&>(m).run(x[0], padded(x[1]), {}, {});
}
Variable decode(Module& m, const LayerInputs& x) {
  return dynamic_cast<TransformerLayer&>(m).run(x[0], {}, x[1], {});
}

MultiHeadOptions heads(std::int64_t count) {
  MultiHeadOptions o;
  o.width = 8;
  o.heads = count;
  return o;
}

std::vector<LayerCase> attention_cases() {
  MultiHeadOptions causal = heads(2), cross = heads(2), grouped = heads(4), relative = heads(4);
  causal.causal = grouped.causal = true;
  cross.memory_width = 6;
  grouped.key_value_heads = 2;
  relative.relative = 2;
  return {{"attention/self", with_generator<MultiHeadAttention>(heads(2))},
          {"attention/padded_causal", with_generator<MultiHeadAttention>(causal), attend_padded},
          {"attention/cross", with_generator<MultiHeadAttention>(cross), attend_memory},
          {"attention/grouped", with_generator<MultiHeadAttention>(grouped)},
          {"attention/relative", with_generator<MultiHeadAttention>(relative)}};
}

std::vector<LayerCase> transformer_cases() {
  std::vector<LayerCase> cases;
  for (bool pre : {false, true}) {
    const std::string kind = pre ? "pre_norm" : "post_norm";
    TransformerOptions encoder;
    encoder.attention = heads(2);
    encoder.feed_forward = 12;
    encoder.pre_norm = pre;
    TransformerOptions decoder = encoder;
    encoder.activation = Activation::gelu;
    decoder.attention.causal = decoder.cross = true;
    cases.push_back({"encoder/" + kind, with_generator<TransformerLayer>(encoder), encode_padded});
    cases.push_back({"decoder/" + kind, with_generator<TransformerLayer>(decoder), decode});
  }
  return cases;
}

BertConfig small_bert() {
  BertConfig c;
  c.vocab_size = 11;
  c.hidden_size = 8;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 2;
  c.intermediate_size = 12;
  c.max_position_embeddings = 6;
  c.hidden_dropout_prob = 0;
  c.pooler = false;
  return c;
}

Variable bert_encode(Module& m, const LayerInputs& x) {
  return dynamic_cast<Bert&>(m).encode(x[0].tensor(), x[1].tensor());
}

}  // namespace

TEST_CASE("norms, attention, transformers and BERT agree with PyTorch") {
  const NamedTensors golden = load_golden("layers");
  std::vector<LayerCase> cases = {
      {"layer_norm", made<LayerNorm>(8)},
      {"rms_norm", made<RmsNorm>(8)},
      {"group_norm", made<GroupNorm>(2, 6)},
      {"batch_norm1d/rows", made<BatchNorm1d>(4)},
      {"batch_norm1d/signals", made<BatchNorm1d>(4)},
      {"batch_norm1d/eval", made<BatchNorm1d>(4), {}, false},
      {"bert", with_generator<Bert>(small_bert()), bert_encode, true, 1e-11,
       "embeddings.word_embeddings.weight"},
  };
  for (const auto& more : {attention_cases(), transformer_cases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  for (const LayerCase& layer : cases) check_layer(golden, layer);
  check_all_compared(golden,
                     {"layer_norm", "rms_norm", "group_norm", "batch_norm1d", "attention",
                      "encoder", "decoder", "bert"},
                     cases);
}

TEST_CASE("a residual sum that a norm takes has the bits of an addition") {
  Generator generator(3);
  for (const NormKind kind : {NormKind::layer, NormKind::rms}) {
    const auto norm = make_norm(kind, 24, 1e-5);
    const Tensor a = random_normal({5, 24}, generator), b = random_normal({5, 24}, generator);
    const Tensor weight = random_normal({5, 24}, generator);
    std::vector<std::vector<float>> runs[2];
    for (const bool taken : {false, true}) {
      const Variable x(a, true), part(b, true);
      norm->zero_grad();
      Variable y, total;
      if (taken) {
        const AddNormVariables both = norm->normalise({x, part});
        y = both.y, total = both.sum;
      } else {
        total = x + part;
        y = norm->forward(total);
      }
      sum(y * Variable(weight) + relu(total)).backward();
      std::vector<std::vector<float>>& run = runs[taken];
      for (const Variable& v : {y, total}) run.push_back(v.tensor().to_vector<float>());
      for (const Variable& v : {x, part}) run.push_back(v.grad().tensor().to_vector<float>());
      for (const Variable& p : norm->parameters())
        run.push_back(p.grad().tensor().to_vector<float>());
    }
    CHECK(runs[0] == runs[1]);
  }
}

TEST_CASE("BERT has Hugging Face's names") {
  Generator generator(1);
  BertConfig config = small_bert();
  config.pooler = true;
  const StateDict state = Bert(config, generator).state_dict();
  for (const char* name :
       {"embeddings.LayerNorm.weight", "embeddings.word_embeddings.weight",
        "embeddings.token_type_embeddings.weight", "encoder.layer.1.attention.self.query.bias",
        "encoder.layer.1.attention.output.dense.weight",
        "encoder.layer.0.attention.output.LayerNorm.bias", "encoder.layer.0.output.LayerNorm.bias",
        "encoder.layer.0.intermediate.dense.weight", "encoder.layer.0.output.dense.bias",
        "pooler.dense.weight"}) {
    INFO(name);
    CHECK(state.contains(name));
  }
  CHECK(state.size() == 5 + 2 * 16 + 2);
}

TEST_CASE("padding does not change what a text's own tokens give") {
  Generator generator(2);
  Bert bert(small_bert(), generator);
  bert.eval();
  const Tensor ids = from_values<std::int64_t>({3, 4, 5, 9, 9}, {1, 5});
  const Tensor length = from_values<std::int64_t>({3}, {1});
  const Variable all = bert.encode(ids, length), own = bert.forward(slice(ids, 1, 0, 3));
  // Roundings of f32 over two layers.
  CHECK(amax(abs(sub(slice(all.tensor(), 1, 0, 3), own.tensor()))).item() <= 1e-5);
  CHECK(amax(abs(sub(mean_pool(all, length).tensor(), mean_pool(own, {}).tensor()))).item() <=
        1e-5);
  CHECK_THROWS_WITH(bert.forward(zeros({1, 7}, DType::i64)), Catch::Contains("1 to 6 tokens"));
  CHECK_THROWS_WITH(bert.pooled(all), Catch::Contains("pooler"));
}

TEST_CASE("a query that may look at nothing gets zeros") {
  Generator generator(3);
  const Variable q(random_normal({1, 1, 2, 4}, generator));
  const Variable y = attend(q, q, q, padded(zeros({1}, DType::i64)), 0.5);
  CHECK(amax(abs(y.tensor())).item() == 0);
}

TEST_CASE("a cache gives what the whole sequence gives") {
  Generator generator(4);
  TransformerOptions options;
  options.attention = heads(4);
  options.attention.key_value_heads = 2;
  options.attention.causal = options.attention.rotary = options.pre_norm = true;
  options.norm = NormKind::rms;
  options.gated = true;
  TransformerStack stack(options, 2, generator);
  stack.eval();
  const NoGrad no_grad;
  const Variable x(random_normal({2, 7, 8}, generator));
  const Variable whole = stack.forward(x);
  KeyValueCaches caches(2, KeyValueCache(7));
  std::vector<Variable> parts;
  for (auto [begin, end] : {std::pair(0, 3), {3, 4}, {4, 6}, {6, 7}}) {
    parts.push_back(stack.run(slice(x, 1, begin, end), {}, {}, {}, &caches));
  }
  // Roundings of f32: the same sums in pieces.
  CHECK(amax(abs(sub(cat(parts, 1).tensor(), whole.tensor()))).item() <= 1e-5);
  CHECK_THROWS_WITH(stack.run(slice(x, 1, 0, 1), {}, {}, {}, &caches),
                    Catch::Contains("at most 7 tokens"));
}

TEST_CASE("layer checkpointing gives the same gradients and needs less memory") {
  TransformerOptions options;
  options.attention = heads(2);
  options.pre_norm = true;
  options.dropout = 0.2;
  const auto train = [&](bool checkpointing) {
    Generator generator(5);
    TransformerStack stack(options, 6, generator);
    stack.set_checkpointing(checkpointing);
    const Variable x(random_normal({2, 32, 8}, generator));
    reset_peak_memory();
    const std::int64_t before = memory_stats().live;
    sum(square(stack.forward(x))).backward();
    const std::int64_t peak = memory_stats().peak - before;
    std::vector<std::vector<float>> gradients;
    for (const Variable& p : stack.parameters()) {
      gradients.push_back(p.grad().tensor().to_vector<float>());
    }
    return std::pair(gradients, peak);
  };
  const auto [plain, plain_peak] = train(false);
  const auto [saved, saved_peak] = train(true);
  CHECK(plain == saved);
  CHECK(saved_peak < plain_peak / 2);
}
