// Numbers for texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace athanor::distill {

// Numbers texts from 0 in the order of their first appearance.
class Dictionary {
 public:
  std::int32_t number(std::string_view text) {
    const auto [at, added] =
        index_.try_emplace(std::string(text), static_cast<std::int32_t>(index_.size()));
    if (added) text_.push_back(&at->first);
    return at->second;
  }
  const std::string& text(std::int64_t number) const { return *text_[number]; }
  std::int64_t size() const { return std::ssize(text_); }

 private:
  std::unordered_map<std::string, std::int32_t> index_;
  std::vector<const std::string*> text_;  // the map's own keys, which stay where they are
};

}  // namespace athanor::distill
