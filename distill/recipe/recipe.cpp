#include "distill/recipe/recipe.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "data/text/edit_distance.h"
#include "tensor/base/error.h"
#include "tensor/io/mapped_file.h"

namespace athanor::distill {
namespace {

// The one list of keys: calls f(name, field) for each.
template <class R, class F>
void for_each_key(R& r, F&& f) {
  f("name", r.name);
  f("seed", r.seed);
  f("baselines", r.baselines);
  f("data.format", r.data.format);
  f("data.dir", r.data.dir);
  f("data.side", r.data.side);
  f("pool.size", r.pool.size);
  f("pool.effective", r.pool.effective);
  f("pool.mixture", r.pool.mixture);
  f("pool.trusted", r.pool.trusted);
  f("pool.defects", r.pool.defects);
  f("teacher.model", r.teacher.model);
  f("teacher.source", r.teacher.source);
  f("teacher.epochs", r.teacher.epochs);
  f("teacher.file", r.teacher.file);
  f("teacher.logits", r.teacher.logits);
  f("teacher.embeddings", r.teacher.embeddings);
  f("trust.folds", r.trust.folds);
  f("trust.rounds", r.trust.rounds);
  f("trust.epochs", r.trust.epochs);
  f("trust.q", r.trust.q);
  f("trust.teacher", r.trust.teacher);
  f("student.model", r.student.model);
  f("student.hidden", r.student.hidden);
  f("student.width", r.student.width);
  f("student.layers", r.student.layers);
  f("student.heads", r.student.heads);
  f("student.context", r.student.context);
  f("student.dropout", r.student.dropout);
  f("student.pretrained", r.student.pretrained);
  f("train.batch", r.train.batch);
  f("train.epochs", r.train.epochs);
  f("train.optimizer", r.train.optimizer);
  f("train.lr", r.train.lr);
  f("train.schedule", r.train.schedule);
  f("train.shift", r.train.shift);
  f("train.flip", r.train.flip);
  f("train.weight_decay", r.train.weight_decay);
  f("train.warmup", r.train.warmup);
  f("train.clip", r.train.clip);
  f("train.average", r.train.average);
  f("train.label_smoothing", r.train.label_smoothing);
  f("train.accumulate", r.train.accumulate);
  f("train.patience", r.train.patience);
  f("train.repeats", r.train.repeats);
  f("refine.enabled", r.refine.enabled);
  f("refine.select", r.refine.select);
  f("refine.threshold", r.refine.threshold);
  f("refine.retention", r.refine.retention);
  f("refine.budget", r.refine.budget);
  f("refine.learn", r.refine.learn);
  f("restructure.enabled", r.restructure.enabled);
  f("restructure.neighbours", r.restructure.neighbours);
  f("restructure.compression", r.restructure.compression);
  f("restructure.relation", r.restructure.relation);
  f("mix.hard", r.mix.hard);
  f("mix.max", r.mix.max);
  f("mix.start", r.mix.start);
  f("mix.end", r.mix.end);
  f("control.enabled", r.control.enabled);
  f("control.bound", r.control.bound);
  f("control.alpha", r.control.alpha);
  f("control.beta", r.control.beta);
  f("control.gamma", r.control.gamma);
  f("control.lambda_max", r.control.lambda_max);
  f("control.seed_exact", r.control.seed_exact);
  f("control.clip", r.control.clip);
  f("temperature.schedule", r.temperature.schedule);
  f("temperature.values", r.temperature.values);
  f("curriculum.enabled", r.curriculum.enabled);
  f("curriculum.warm", r.curriculum.warm);
  f("curriculum.converge", r.curriculum.converge);
  f("compensate.enabled", r.compensate.enabled);
  f("compensate.act", r.compensate.act);
  f("compensate.seed_exact", r.compensate.seed_exact);
  f("compensate.weights", r.compensate.weights);
  f("quantize.enabled", r.quantize.enabled);
  f("quantize.mode", r.quantize.mode);
  f("quantize.epochs", r.quantize.epochs);
  f("quantize.lr", r.quantize.lr);
  f("quantize.records", r.quantize.records);
  f("loss.distance", r.loss.distance);
  f("loss.kd", r.loss.kd);
  f("loss.relation", r.loss.relation);
  f("loss.kd_every", r.loss.kd_every);
  f("evaluate.split", r.evaluate.split);
  f("evaluate.size", r.evaluate.size);
}

std::string nearest_key(std::string_view key) {
  std::string best;
  std::size_t distance = SIZE_MAX;
  Recipe recipe;
  for_each_key(recipe, [&](const char* name, auto&) {
    const std::size_t d = data::edit_distance(key, name);
    if (d < distance) {
      distance = d;
      best = name;
    }
  });
  return best;
}

// Reads one TOML value into a field; false when its type does not fit.
bool read(const toml::node& node, std::string& field) {
  const auto value = node.value_exact<std::string>();
  if (value) field = *value;
  return value.has_value();
}
bool read(const toml::node& node, bool& field) {
  const auto value = node.value_exact<bool>();
  if (value) field = *value;
  return value.has_value();
}
bool read(const toml::node& node, std::int64_t& field) {
  const auto value = node.value_exact<std::int64_t>();
  if (value) field = *value;
  return value.has_value();
}
bool read(const toml::node& node, std::uint64_t& field) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 0) return false;
  field = static_cast<std::uint64_t>(*value);
  return true;
}
bool read(const toml::node& node, double& field) {
  const auto value = node.value<double>();
  if (!value || !(node.is_floating_point() || node.is_integer())) return false;
  field = *value;
  return true;
}
template <class T>
bool read(const toml::node& node, std::vector<T>& field) {
  const toml::array* array = node.as_array();
  if (!array) return false;
  std::vector<T> values;
  for (const toml::node& element : *array) {
    T value{};
    if (!read(element, value)) return false;
    values.push_back(value);
  }
  field = std::move(values);
  return true;
}

const char* type_name(const std::string&) { return "a string"; }
const char* type_name(const bool&) { return "true or false"; }
const char* type_name(const std::int64_t&) { return "an integer"; }
const char* type_name(const std::uint64_t&) { return "an integer >= 0"; }
const char* type_name(const double&) { return "a number"; }
const char* type_name(const std::vector<std::string>&) { return "a list of strings"; }
const char* type_name(const std::vector<double>&) { return "a list of numbers"; }
const char* type_name(const std::vector<std::int64_t>&) { return "a list of integers"; }

std::string text_of(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_table<decltype(value)>) {
      out << "a table";
    } else {
      out << value;
    }
  });
  return out.str();
}

void apply(Recipe& recipe, std::string_view file, const std::string& key, const toml::node& node) {
  bool known = false;
  for_each_key(recipe, [&](const char* name, auto& field) {
    if (key != name) return;
    known = true;
    if (!read(node, field)) {
      raise(ErrorKind::usage, file, ": ", key, ": expected ", type_name(field), ", got ",
            text_of(node));
    }
  });
  if (!known && key.starts_with("variants.")) {
    std::vector<std::string> settings;
    if (!read(node, settings)) {
      raise(ErrorKind::usage, file, ": ", key, ": expected a list of \"key=value\", got ",
            text_of(node));
    }
    recipe.variants.emplace_back(key.substr(std::string_view("variants.").size()), settings);
    known = true;
  }
  if (!known) {
    raise(ErrorKind::usage, file, ": unknown key ", key, "; did you mean ", nearest_key(key), "?");
  }
}

// [[losses]] name = "kd" or "relation", weight = w. A loss that is not listed has weight 0.
void apply_losses(Recipe& recipe, std::string_view file, const toml::node& node) {
  const toml::array* array = node.as_array();
  recipe.loss.kd = recipe.loss.relation = 0;
  for (std::size_t i = 0; array && i < array->size(); ++i) {
    const toml::table* entry = array->get(i)->as_table();
    const auto name = entry ? (*entry)["name"].value_exact<std::string>() : std::nullopt;
    const auto weight = entry ? (*entry)["weight"].value<double>() : std::nullopt;
    if (!name || !weight || (*name != "kd" && *name != "relation") || entry->size() != 2) {
      raise(ErrorKind::usage, file, ": losses: expected name (kd or relation) and weight in entry ",
            i);
    }
    (*name == "kd" ? recipe.loss.kd : recipe.loss.relation) = *weight;
  }
}

void apply_table(Recipe& recipe, std::string_view file, const std::string& prefix,
                 const toml::table& table) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (name == "losses" && node.is_array_of_tables()) {
      apply_losses(recipe, file, node);
    } else if (node.is_table()) {
      apply_table(recipe, file, name + ".", *node.as_table());
    } else {
      apply(recipe, file, name, node);
    }
  }
}

toml::table parse_toml(std::string_view text, std::string_view file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    raise(ErrorKind::usage, file, ": line ", error.source().begin.line, ": ", error.description());
  }
}

void write(std::ostream& out, const std::string& value) { out << toml::value<std::string>(value); }
void write(std::ostream& out, bool value) { out << (value ? "true" : "false"); }
void write(std::ostream& out, std::int64_t value) { out << value; }
void write(std::ostream& out, std::uint64_t value) { out << value; }
void write(std::ostream& out, double value) { out << toml::value<double>(value); }
template <class T>
void write(std::ostream& out, const std::vector<T>& values) {
  out << '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i) out << ", ";
    write(out, values[i]);
  }
  out << ']';
}

}  // namespace

Recipe parse_recipe(std::string_view toml, std::string_view file) {
  Recipe recipe;
  apply_table(recipe, file, "", parse_toml(toml, file));
  return recipe;
}

Recipe load_recipe(const std::filesystem::path& path) {
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  return parse_recipe({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

void set_key(Recipe& recipe, std::string_view assignment) {
  const std::size_t at = assignment.find('=');
  if (at == std::string_view::npos || at == 0) {
    raise(ErrorKind::usage, "--set: expected key=value, got ", assignment);
  }
  const std::string key(assignment.substr(0, at)), value(assignment.substr(at + 1));
  toml::table table;
  try {
    table = toml::parse("value = " + value);
  } catch (const toml::parse_error&) {
    table.insert("value", value);  // a bare word
  }
  apply(recipe, "--set", key, *table.get("value"));
}

std::string to_toml(const Recipe& recipe) {
  std::ostringstream out;
  for_each_key(recipe, [&](const char* name, const auto& field) {
    out << name << " = ";
    write(out, field);
    out << '\n';
  });
  for (const auto& [name, settings] : recipe.variants) {
    out << "variants." << toml::value<std::string>(name) << " = ";
    write(out, settings);
    out << '\n';
  }
  return out.str();
}

}  // namespace athanor::distill
