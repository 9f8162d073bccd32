// Sentence vectors against those of transformers (make_tiny_bert.py), and what wrong folders do.
#include "distill/pretrained/sentence_encoder.h"
#include "autograd/autocast.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "data/text/text_lines.h"
#include "distill/export/onnx_models.h"
#include "distill/pretrained/bert_files.h"
#include "tensor/io/npy.h"
#include "tensor/io/safetensors.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::distill;
using athanor::test::error_of;

namespace {

namespace fs = std::filesystem;

const fs::path kTiny = ATHANOR_TINY_BERT;

std::vector<std::string> tiny_texts() {
  data::TextLines lines(kTiny / "texts.txt");
  std::vector<std::string> texts;
  for (std::string line; lines.next(line);) texts.push_back(line);
  return texts;
}

// A copy of the folder whose config.json has `from` replaced.
fs::path changed_config(const test::ScratchDirectory& scratch, const std::string& from,
                        const std::string& to) {
  const fs::path folder = scratch.path() / "model";
  fs::remove_all(folder);
  fs::copy(kTiny, folder);
  std::string config = test::slurp(folder / "config.json");
  const std::size_t at = config.find(from);
  REQUIRE(at != std::string::npos);
  test::spill(folder / "config.json", config.replace(at, from.size(), to));
  return folder;
}

}  // namespace

TEST_CASE("sentence vectors are those of transformers, whatever the batches") {
  const Tensor expected = load_npy(kTiny / "vectors.npy");
  const auto texts = tiny_texts();
  REQUIRE(std::ssize(texts) == expected.size(0));
  for (const std::int64_t tokens_a_batch : {0, 1, 20, 2048}) {
    SentenceEncoderOptions options;
    options.max_length = 32;
    options.tokens_a_batch = tokens_a_batch;
    const Tensor vectors = SentenceEncoder::load(kTiny, options).embed(texts);
    REQUIRE(vectors.shape() == expected.shape());
    for (std::int64_t i = 0; i < vectors.numel(); ++i) {
      // f32 sums in another order, through two layers.
      REQUIRE(std::abs(vectors.data<float>()[i] - expected.data<float>()[i]) < 2e-5);
    }
  }
}

TEST_CASE("modules.json decides pooling and length 1") {
  const test::ScratchDirectory scratch;
  const fs::path folder = changed_config(scratch, "{", "{");
  fs::create_directories(folder / "1_Pooling");
  test::spill(folder / "modules.json",
              R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
                  {"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
                  {"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}])");
  test::spill(folder / "1_Pooling" / "config.json", R"({"pooling_mode_mean_tokens":true})");
  const std::vector<std::string> texts = {"the quick brown fox", "dog"};
  const Tensor vectors = SentenceEncoder::load(folder).embed(texts);
  for (std::int64_t row = 0; row < 2; ++row) {
    double square = 0;
    for (std::int64_t i = 0; i < 24; ++i)
      square += std::pow(vectors.data<float>()[row * 24 + i], 2);
    CHECK(square == Approx(1));
  }
  test::spill(folder / "1_Pooling" / "config.json", R"({"pooling_mode_max_tokens":true})");
  CHECK_THAT(error_of([&] { SentenceEncoder::load(folder); }).what(),
             Catch::Contains("expected pooling by the mean or by the first token"));
}

TEST_CASE("products in bf16 give f32 vectors close to f32's") {
  const SentenceEncoder encoder = SentenceEncoder::load(kTiny);
  const std::vector<std::string> texts = {"the quick brown fox", "dog", ""};
  const Tensor whole = encoder.embed(texts);
  const Autocast products(DType::bf16);
  const Tensor rounded = encoder.embed(texts);
  REQUIRE(rounded.dtype() == DType::f32);
  bool same = true;
  for (std::int64_t row = 0; row < 3; ++row) {
    double dot = 0, a = 0, b = 0;
    for (std::int64_t i = row * 24; i < (row + 1) * 24; ++i) {
      const double x = whole.data<float>()[i], y = rounded.data<float>()[i];
      dot += x * y, a += x * x, b += y * y;
      same = same && x == y;
    }
    CHECK(dot / std::sqrt(a * b) > 0.999);
  }
  CHECK_FALSE(same);
}

TEST_CASE("several poolings stand side by side, each of length 1") {
  SentenceEncoder encoder = SentenceEncoder::load(kTiny);
  const std::vector<std::string> texts = {"the quick brown fox", "dog", ""};
  const auto with = [&](std::vector<TextPooling> pooling) {
    encoder.set_pooling(std::move(pooling));
    return encoder.embed(texts);
  };
  const Tensor both = with({TextPooling::mean, TextPooling::first_word});
  REQUIRE(both.shape() == Shape{3, 48});
  CHECK(encoder.width() == 48);
  const Tensor parts[] = {with({TextPooling::mean}), with({TextPooling::first_word})};
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t part = 0; part < 2; ++part) {
      const float* alone = parts[part].data<float>() + row * 24;
      double square = 0;
      for (std::int64_t i = 0; i < 24; ++i) square += double(alone[i]) * alone[i];
      for (std::int64_t i = 0; i < 24; ++i) {
        CHECK(both.data<float>()[row * 48 + part * 24 + i] ==
              Approx(alone[i] / std::sqrt(square)).margin(1e-6));
      }
    }
  }
  // The first word is none of the other two, and an empty text has one, too ([SEP]).
  const Tensor cls = with({TextPooling::first_token});
  for (const std::int64_t row : {0, 2}) {
    double apart = 0;
    for (std::int64_t i = 0; i < 24; ++i) {
      apart += std::abs(parts[1].data<float>()[row * 24 + i] - cls.data<float>()[row * 24 + i]);
    }
    CHECK(apart > .1);
  }
  CHECK_THROWS_AS(encoder.set_pooling({}), Error);
}

TEST_CASE("folders that hold no such model are refused and say why") {
  const test::ScratchDirectory scratch;
  const auto message = [&](const std::string& from, const std::string& to) {
    const fs::path folder = changed_config(scratch, from, to);
    const Error error = error_of([&] { SentenceEncoder::load(folder); });
    CHECK(error.kind() == ErrorKind::bad_input);
    return std::string(error.what());
  };
  CHECK_THAT(message("\"bert\"", "\"gpt2\""),
             Catch::Contains("model_type: expected one of bert, found \"gpt2\""));
  CHECK_THAT(message("\"gelu\"", "\"relu\""), Catch::Contains("hidden_act"));
  CHECK_THAT(message("\"hidden_size\": 24", "\"hidden_size\": 48"),
             Catch::Contains("embeddings.word_embeddings.weight: expected shape"));
  CHECK_THAT(message("\"num_attention_heads\": 3", "\"num_attention_heads\": 5"),
             Catch::Contains("expected a divisor of hidden_size 24"));
  CHECK_THAT(message("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
             Catch::Contains("encoder.layer.2.attention.output.LayerNorm.bias"));
  CHECK_THAT(message("\"intermediate_size\": 48", "\"intermediate_size\": 47"),
             Catch::Contains("intermediate.dense"));
  CHECK_THAT(error_of([&] { SentenceEncoder::load(scratch.path()); }).what(),
             Catch::Contains("expected a tokenizer.json or a vocab.txt"));
}

TEST_CASE("f32 files and names under bert. load to the same model") {
  const test::ScratchDirectory scratch;
  const fs::path folder = changed_config(scratch, "{", "{");
  NamedTensors renamed;
  for (const auto& [name, tensor] : load_safetensors(kTiny / "model_f16.safetensors").first) {
    renamed.emplace("bert." + name, tensor);
  }
  fs::remove(folder / "model_f16.safetensors");
  renamed.emplace("classifier.weight", from_values<float>({1}, {1, 1}));
  save_safetensors(folder / "model.safetensors", renamed);
  const LoadedBert loaded = load_bert(folder);
  CHECK(loaded.unexpected == std::vector<std::string>{"classifier.weight"});
  const std::vector<std::string> texts = {"a teacher teaches"};
  CHECK(SentenceEncoder::load(folder).embed(texts).to_vector<float>() ==
        SentenceEncoder::load(kTiny).embed(texts).to_vector<float>());
}

TEST_CASE("an exported encoder names its inputs and outputs") {
  const std::string onnx = onnx_of_bert(*SentenceEncoder::load(kTiny).model());
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids", "last_hidden_state",
                           "sentence_embedding", "LayerNormalization"}) {
    CHECK(onnx.find(name) != std::string::npos);
  }
}
