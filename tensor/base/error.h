// Errors of the whole project: one exception type, a kind that fixes the command's exit code, and a
// helper that builds messages.
//
// Public operations fail with messages of the form
//   [softmax] expected axis in [-2, 2), got 3 (input [4, 8] f32 cpu)
// The library never prints, exits or aborts.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace athanor {

// What went wrong, in the terms a caller can act on. The command maps each kind to an exit code
// (docs/cli.md): runtime 1, usage 2, bad_input 3, diverged 4, out_of_resources 5.
enum class ErrorKind {
  runtime,           // an operation was used wrongly, or failed
  usage,             // a bad argument, option or recipe key
  bad_input,         // a file that is missing, truncated or malformed
  diverged,          // training produced NaN or Inf and could not go on
  out_of_resources,  // memory or disk is exhausted
};

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ErrorKind kind = ErrorKind::runtime)
      : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Joins its arguments with operator<<.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

// Throws Error("[op] message"). `op` is the public operation's name.
template <class... Args>
[[noreturn]] void fail(const char* op, const Args&... args) {
  throw Error(str("[", op, "] ", args...));
}

// Throws Error(message, kind).
template <class... Args>
[[noreturn]] void raise(ErrorKind kind, const Args&... args) {
  throw Error(str(args...), kind);
}

}  // namespace athanor
