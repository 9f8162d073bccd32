// What every libFuzzer target does: parse the bytes; an Error of kind bad_input is an answer,
// anything else a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tensor/base/error.h"
#include "tensor/io/limits.h"

namespace athanor::test {

template <class Parse>
int fuzz_one(const std::uint8_t* data, std::size_t size, Parse&& parse) {
  Limits limits;
  limits.max_bytes = 1 << 22;  // small enough that no accepted input is slow
  try {
    parse(std::as_bytes(std::span<const std::uint8_t>(data, size)), limits);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::bad_input) std::abort();
  }
  return 0;
}

}  // namespace athanor::test
