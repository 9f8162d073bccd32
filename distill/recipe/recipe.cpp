#include "distill/recipe/recipe.h"

#include <toml++/toml.h>

#include <algorithm>
#include <numeric>
#include <sstream>

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
  f("pool.size", r.pool.size);
  f("pool.effective", r.pool.effective);
  f("pool.mixture", r.pool.mixture);
  f("pool.trusted", r.pool.trusted);
  f("pool.defects", r.pool.defects);
  f("teacher.model", r.teacher.model);
  f("teacher.epochs", r.teacher.epochs);
  f("teacher.file", r.teacher.file);
  f("student.model", r.student.model);
  f("student.hidden", r.student.hidden);
  f("train.batch", r.train.batch);
  f("train.epochs", r.train.epochs);
  f("train.optimizer", r.train.optimizer);
  f("train.lr", r.train.lr);
  f("train.schedule", r.train.schedule);
  f("refine.enabled", r.refine.enabled);
  f("refine.threshold", r.refine.threshold);
  f("restructure.enabled", r.restructure.enabled);
  f("restructure.neighbours", r.restructure.neighbours);
  f("restructure.compression", r.restructure.compression);
  f("restructure.relation", r.restructure.relation);
  f("mix.hard", r.mix.hard);
  f("mix.max", r.mix.max);
  f("control.enabled", r.control.enabled);
  f("control.alpha", r.control.alpha);
  f("control.beta", r.control.beta);
  f("control.gamma", r.control.gamma);
  f("control.clip", r.control.clip);
  f("temperature.schedule", r.temperature.schedule);
  f("temperature.values", r.temperature.values);
  f("curriculum.enabled", r.curriculum.enabled);
  f("curriculum.warm", r.curriculum.warm);
  f("curriculum.converge", r.curriculum.converge);
  f("compensate.enabled", r.compensate.enabled);
  f("compensate.weights", r.compensate.weights);
  f("quantize.enabled", r.quantize.enabled);
  f("loss.kd", r.loss.kd);
  f("loss.relation", r.loss.relation);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nearest_key(std::string_view key) {
  std::string best;
  std::size_t distance = SIZE_MAX;
  Recipe recipe;
  for_each_key(recipe, [&](const char* name, auto&) {
    const std::size_t d = edit_distance(key, name);
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

template <class... Ts>
void expect_one_of(const char* key, const std::string& value, Ts... choices) {
  if (((value == choices) || ...)) return;
  std::string list;
  ((list += list.empty() ? choices : std::string(", ") + choices), ...);
  raise(ErrorKind::usage, key, ": expected one of ", list, "; got ", value);
}

void expect(bool ok, const char* key, const char* range, double value) {
  if (!ok) raise(ErrorKind::usage, key, ": expected ", range, ", got ", value);
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

void check_recipe(const Recipe& r) {
  expect_one_of("data.format", r.data.format, "idx");
  expect_one_of("pool.mixture", r.pool.mixture, "easy", "standard", "hard");
  expect_one_of("teacher.model", r.teacher.model, "cnn", "mlp");
  expect_one_of("student.model", r.student.model, "cnn", "mlp");
  expect_one_of("train.optimizer", r.train.optimizer, "adamw");
  expect_one_of("train.schedule", r.train.schedule, "constant", "linear", "cosine", "one_cycle");
  expect_one_of("restructure.relation", r.restructure.relation, "decoded", "attention", "blend");
  expect_one_of("mix.hard", r.mix.hard, "trust", "constant", "scheduled");
  expect_one_of("control.clip", r.control.clip, "adaptive", "none");
  expect_one_of("temperature.schedule", r.temperature.schedule, "stages", "linear", "cosine",
                "constant");
  expect_one_of("baselines", r.baselines, "standard", "all");
  expect(r.pool.size >= 100, "pool.size", "at least 100", static_cast<double>(r.pool.size));
  expect(r.pool.effective > 0 && r.pool.effective < 1, "pool.effective", "a share in (0, 1)",
         r.pool.effective);
  expect(r.pool.trusted >= 0, "pool.trusted", "0 or more", static_cast<double>(r.pool.trusted));
  expect(r.teacher.epochs >= 1, "teacher.epochs", "1 or more",
         static_cast<double>(r.teacher.epochs));
  expect(r.train.batch >= 1, "train.batch", "1 or more", static_cast<double>(r.train.batch));
  expect(r.train.epochs >= 1, "train.epochs", "1 or more", static_cast<double>(r.train.epochs));
  expect(r.train.lr > 0, "train.lr", "a rate above 0", r.train.lr);
  expect(r.refine.threshold >= 0 && r.refine.threshold < 1, "refine.threshold",
         "a probability in [0, 1)", r.refine.threshold);
  expect(r.restructure.compression >= 1, "restructure.compression", "1 or more",
         static_cast<double>(r.restructure.compression));
  expect(r.restructure.neighbours >= 1, "restructure.neighbours", "1 or more",
         static_cast<double>(r.restructure.neighbours));
  expect(r.mix.max >= 0 && r.mix.max <= 1, "mix.max", "a weight in [0, 1]", r.mix.max);
  expect(r.loss.kd >= 0 && r.loss.relation >= 0 && r.loss.kd + r.loss.relation > 0, "losses",
         "weights >= 0 that are not all 0", r.loss.kd);
  expect(!r.temperature.values.empty(), "temperature.values", "at least one", 0);
  for (double t : r.temperature.values) expect(t > 0, "temperature.values", "values above 0", t);
  expect(r.compensate.weights.size() == 3, "compensate.weights", "3 weights",
         static_cast<double>(r.compensate.weights.size()));
  expect(r.curriculum.warm.size() == 2, "curriculum.warm", "2 shares",
         static_cast<double>(r.curriculum.warm.size()));
  expect(r.curriculum.converge.size() == 2, "curriculum.converge", "2 shares",
         static_cast<double>(r.curriculum.converge.size()));
  if (r.quantize.enabled) {
    raise(ErrorKind::usage,
          "quantize.enabled: this version has no INT8 yet; expected false, got true");
  }
}

std::string to_toml(const Recipe& recipe) {
  std::ostringstream out;
  for_each_key(recipe, [&](const char* name, const auto& field) {
    out << name << " = ";
    write(out, field);
    out << '\n';
  });
  return out.str();
}

}  // namespace athanor::distill
