// A strict scanner for JSON whose structure the caller knows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace athanor {

// Reads JSON (RFC 8259) token by token, front to back. The caller asks for what its format has at
// that place, so nothing nests deeper than the calling code and no document tree is built. Anything
// else is bad_input with file, offset, field, expected and found.
class JsonScanner {
 public:
  // `base` is the offset of `text` in the file, for messages.
  JsonScanner(std::string_view text, std::string_view file, std::uint64_t base)
      : text_(text), file_(file), base_(base) {}

  // Consumes this punctuation character, or throws; `field` names the value being read.
  void expect(char punctuation, std::string_view field);
  // Consumes it and returns true, if it is next.
  bool accept(char punctuation);
  // A string, its escapes resolved; UTF-8 is checked (no overlong forms, no surrogates).
  std::string string(std::string_view field);
  // A number without sign, fraction, exponent or leading zero, below 2^63.
  std::uint64_t unsigned_integer(std::string_view field);
  // Throws unless only white space is left.
  void expect_end();

  // Calls member(name) for each member of the object that begins here, with the scanner at its
  // value.
  template <class F>
  void object(std::string_view field, F&& member) {
    expect('{', field);
    if (accept('}')) return;
    do {
      const std::string name = string(field);
      expect(':', field);
      member(name);
    } while (accept(','));
    expect('}', field);
  }
  // Calls element() for each element of the array that begins here.
  template <class F>
  void array(std::string_view field, F&& element) {
    expect('[', field);
    if (accept(']')) return;
    do element();
    while (accept(','));
    expect(']', field);
  }

  // Throws bad_input at the current place.
  [[noreturn]] void refuse(std::string_view field, std::string_view expected,
                           std::string_view found) const;

 private:
  void skip_space();
  // What stands at the current place, for messages.
  std::string found_here() const;
  void escape(std::string& out, std::string_view field);
  std::uint32_t hex4(std::string_view field);
  void utf8_sequence(std::string& out, std::string_view field);

  std::string_view text_;
  std::string_view file_;
  std::uint64_t base_;
  std::size_t at_ = 0;
};

// `text` as a JSON string literal with its quotes. Throws when it is not UTF-8.
std::string json_quoted(std::string_view text);

}  // namespace athanor
