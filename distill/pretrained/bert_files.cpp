#include "distill/pretrained/bert_files.h"

#include <algorithm>

#include "data/json_document.h"
#include "data/json_field.h"
#include "nn/init.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxSize = 1 << 24;

fs::path weights_of(const fs::path& directory) {
  const fs::path usual = directory / "model.safetensors";
  if (fs::exists(usual)) return usual;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".safetensors") found.push_back(entry.path());
  }
  if (found.size() != 1) {
    raise(ErrorKind::bad_input, directory.string(),
          ": expected model.safetensors or one file *.safetensors, found ", found.size());
  }
  return found[0];
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

// "bert." where every tensor that has a dot is under it or under a head beside it.
std::string common_prefix(const SafetensorsFile& file) {
  if (file.contains("embeddings.word_embeddings.weight")) return "";
  return file.contains("bert.embeddings.word_embeddings.weight") ? "bert." : "";
}

}  // namespace

nn::BertConfig parse_bert_config(std::span<const std::byte> bytes, std::string_view file,
                                 const Limits& limits) {
  const nlohmann::json json = data::parse_json(bytes, file, limits);
  const data::JsonField f(json, file);
  f["model_type"].choice({"bert"});
  if (!f["hidden_act"].is_null()) f["hidden_act"].choice({"gelu"});
  if (!f["position_embedding_type"].is_null()) f["position_embedding_type"].choice({"absolute"});
  nn::BertConfig c;
  const auto size = [&](const char* name, std::int64_t& value) {
    value = f[name].integer_or(value, 1, kMaxSize);
  };
  size("vocab_size", c.vocab_size);
  size("hidden_size", c.hidden_size);
  size("num_hidden_layers", c.num_hidden_layers);
  size("num_attention_heads", c.num_attention_heads);
  size("intermediate_size", c.intermediate_size);
  size("max_position_embeddings", c.max_position_embeddings);
  size("type_vocab_size", c.type_vocab_size);
  c.layer_norm_eps = f["layer_norm_eps"].number_or(c.layer_norm_eps);
  c.hidden_dropout_prob = f["hidden_dropout_prob"].number_or(c.hidden_dropout_prob);
  if (!(c.layer_norm_eps > 0)) f["layer_norm_eps"].refuse("a number above 0");
  if (!(c.hidden_dropout_prob >= 0 && c.hidden_dropout_prob < 1)) {
    f["hidden_dropout_prob"].refuse("a number in [0, 1)");
  }
  if (c.hidden_size % c.num_attention_heads != 0) {
    f["num_attention_heads"].refuse(str("a divisor of hidden_size ", c.hidden_size));
  }
  return c;
}

LoadedBert load_bert(const fs::path& directory, std::optional<double> dropout,
                     const Limits& limits) {
  const fs::path config_path = directory / "config.json";
  nn::BertConfig config =
      parse_bert_config(read_file(config_path, limits), config_path.string(), limits);
  if (dropout) config.hidden_dropout_prob = *dropout;
  const fs::path weights = weights_of(directory);
  const SafetensorsFile file(weights, limits);
  const std::string prefix = common_prefix(file);
  config.pooler = file.contains(prefix + "pooler.dense.weight");
  // The shape of the largest table is checked before a model of the announced size is built.
  const std::string table = prefix + "embeddings.word_embeddings.weight";
  const auto entry = file.entries().find(table);
  const Shape expected{config.vocab_size, config.hidden_size};
  if (entry == file.entries().end() || !(entry->second.shape == expected)) {
    raise(ErrorKind::bad_input, weights.string(), ": ", table, ": expected shape ", expected,
          " as in ", config_path.string(), ", found ",
          entry == file.entries().end() ? std::string("no such tensor") : str(entry->second.shape));
  }
  LoadedBert result;
  nn::StateDict state;
  for (const auto& [name, tensor] : file.entries()) {
    if (!name.starts_with(prefix) || !is_float(tensor.dtype)) {
      result.unexpected.push_back(name);
      continue;
    }
    state.emplace(name.substr(prefix.size()), cast(file.tensor(name), DType::f32));
  }
  Generator generator(0);
  {
    const nn::SkipInit skip;  // a missing tensor is an error below
    result.model = std::make_shared<nn::Bert>(config, generator);
  }
  result.model->eval();
  try {
    const nn::StateDictReport report = result.model->load_state_dict(state, false);
    result.unexpected.insert(result.unexpected.end(), report.unexpected.begin(),
                             report.unexpected.end());
    if (!report.missing.empty()) {
      std::string list;
      for (const std::string& name : report.missing) list += "\n  " + prefix + name;
      raise(ErrorKind::bad_input, weights.string(), ": expected all tensors of ",
            config_path.string(), ", found none named", list);
    }
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::bad_input) throw;
    raise(ErrorKind::bad_input, weights.string(), ": ", error.what());
  }
  return result;
}

}  // namespace athanor::distill
