// Typed access to a JSON document with errors that name file and path.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/base/error.h"

namespace athanor::data {

// A value of a document and where it stands ("model.vocab"). The document must outlive it. Every
// getter throws bad_input "FILE: PATH: expected ..., found ..." when the value is something else.
class JsonField {
 public:
  JsonField(const nlohmann::json& value, std::string_view file, std::string path = {})
      : value_(&value), file_(file), path_(std::move(path)) {}

  const nlohmann::json& json() const { return *value_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return value_->is_null(); }
  bool is_string() const { return value_->is_string(); }
  bool is_array() const { return value_->is_array(); }
  bool is_object() const { return value_->is_object(); }

  // The member of an object; a null field where there is none.
  JsonField operator[](const char* name) const;
  bool has(const char* name) const { return value_->is_object() && value_->contains(name); }
  std::vector<JsonField> elements() const;
  std::vector<std::pair<std::string, JsonField>> members() const;

  const std::string& text() const;
  std::string text_or(std::string_view otherwise) const;
  bool boolean() const;
  bool boolean_or(bool otherwise) const { return is_null() ? otherwise : boolean(); }
  // An integer in [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) const;
  std::int64_t integer_or(std::int64_t otherwise, std::int64_t low, std::int64_t high) const {
    return is_null() ? otherwise : integer(low, high);
  }
  double number() const;
  double number_or(double otherwise) const { return is_null() ? otherwise : number(); }
  // One of these texts, as its index.
  std::size_t choice(const std::vector<std::string_view>& names) const;

  // Throws "expected EXPECTED, found <this value>".
  [[noreturn]] void refuse(std::string_view expected) const;

 private:
  const nlohmann::json* value_;
  std::string_view file_;
  std::string path_;
};

}  // namespace athanor::data
