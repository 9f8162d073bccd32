// The version of the whole project. CMake reads it from here, so that it is written once.
#pragma once

namespace athanor {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace athanor
