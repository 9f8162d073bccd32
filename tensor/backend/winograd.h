#pragma once

namespace athanor {

// Whether conv2d and conv2d_max_pool2d may use Winograd's minimal filtering F(2 x 2, 3 x 3) on the
// CPU: f32, kernels of 3 x 3, stride and dilation 1, one group, at least 16 channels out and a
// multiple of 16 in. 16 products instead of 36, and other rounding: random results are within
// 5e-7 sum |x| |w| of the exact ones, as direct ones are (tests/ops/conv2d_winograd_test.cpp);
// pixels or weights of very different sizes lose more, and an infinite or NaN pixel makes all
// results of its tile NaN. Off unless ATHANOR_WINOGRAD=1 or set here. Gradients are computed
// directly.
void set_winograd(bool on);
bool winograd();

// On while it lives.
class UseWinograd {
 public:
  UseWinograd() : before_(winograd()) { set_winograd(true); }
  ~UseWinograd() { set_winograd(before_); }
  UseWinograd(const UseWinograd&) = delete;
  UseWinograd& operator=(const UseWinograd&) = delete;

 private:
  bool before_;
};

}  // namespace athanor
