// Where a tensor's elements live.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace athanor {

enum class DeviceType : std::uint8_t { cpu, cuda };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Device& d) {
  if (d.type == DeviceType::cpu) return out << "cpu";
  return out << "cuda:" << d.index;
}

}  // namespace athanor
