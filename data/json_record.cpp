#include "data/json_record.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

namespace athanor::data {
namespace {

using Json = nlohmann::json;

// Receives the events of nlohmann's parser, which builds no document here, so that neither depth
// nor repeated names can harm.
class Flattener final : public nlohmann::json_sax<Json> {
 public:
  Flattener(int max_depth, std::vector<std::pair<std::string, std::string>>& members)
      : max_depth_(max_depth), members_(members) {}

  std::optional<RecordProblem> problem;

  bool null() override { return value("null", ""); }
  bool boolean(bool v) override { return value(v ? "true" : "false", v ? "true" : "false"); }
  bool number_integer(number_integer_t v) override {
    return value(std::to_string(v), std::to_string(v));
  }
  bool number_unsigned(number_unsigned_t v) override {
    return value(std::to_string(v), std::to_string(v));
  }
  bool number_float(number_float_t, const string_t& raw) override { return value(raw, raw); }
  bool string(string_t& v) override {
    // An array's text must be JSON again.
    return value(arrays_ > 0 ? Json(v).dump() : std::string(), v);
  }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override {
    if (!enter()) return false;
    if (arrays_ > 0) {
      separate();
      array_ += '{';
      first_ = true;
      ++arrays_;
      return true;
    }
    prefixes_.push_back(prefixes_.empty() ? "" : prefixes_.back() + key_ + ".");
    return true;
  }
  bool key(string_t& name) override {
    if (arrays_ > 0) {
      separate();
      array_ += Json(name).dump() + ':';
      first_ = true;
      return true;
    }
    key_ = name;
    if (!names_.insert(prefixes_.back() + key_).second) {
      problem = RecordProblem{prefixes_.back() + key_, "each name once", "it twice"};
      return false;
    }
    return true;
  }
  bool end_object() override {
    --depth_;
    if (arrays_ > 0) return close('}');
    prefixes_.pop_back();
    // Members that follow belong to the outer object; its own name is no field.
    return true;
  }
  bool start_array(std::size_t) override {
    if (!enter()) return false;
    if (prefixes_.empty()) return not_an_object("an array");
    if (arrays_ > 0) separate();
    array_ += '[';
    first_ = true;
    ++arrays_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return close(']');
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    std::string what = error.what();
    if (const auto at = what.find(": syntax error"); at != std::string::npos) {
      what = what.substr(at + 2);
    }
    problem = RecordProblem{"byte " + std::to_string(position), "valid JSON", what};
    return false;
  }

 private:
  bool enter() {
    if (++depth_ <= max_depth_) return true;
    problem = RecordProblem{key_, "nesting of at most " + std::to_string(max_depth_), "deeper"};
    return false;
  }
  bool not_an_object(const char* found) {
    problem = RecordProblem{"record", "a JSON object", found};
    return false;
  }
  void separate() {
    if (!first_) array_ += ',';
    first_ = false;
  }
  bool close(char bracket) {
    array_ += bracket;
    first_ = false;
    if (--arrays_ == 0) {
      members_.emplace_back(prefixes_.back() + key_, std::move(array_));
      array_.clear();
    }
    return true;
  }
  bool value(const std::string& json, std::string text) {
    if (prefixes_.empty()) return not_an_object("a single value");
    if (arrays_ > 0) {
      separate();
      array_ += json;
    } else {
      members_.emplace_back(prefixes_.back() + key_, std::move(text));
    }
    return true;
  }

  const int max_depth_;
  std::vector<std::pair<std::string, std::string>>& members_;
  std::vector<std::string> prefixes_;
  std::unordered_set<std::string> names_;
  std::string key_, array_;
  int depth_ = 0, arrays_ = 0;  // arrays_: open brackets inside the array being written
  bool first_ = true;
};

}  // namespace

std::optional<RecordProblem> flatten_json(
    std::string_view text, int max_depth,
    std::vector<std::pair<std::string, std::string>>& members) {
  members.clear();
  Flattener flattener(max_depth, members);
  const bool whole = Json::sax_parse(text, &flattener);
  if (whole || flattener.problem) return std::move(flattener.problem);
  return RecordProblem{"record", "a JSON object", "something else"};
}

}  // namespace athanor::data
