#include "data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "data/image_changes.h"
#include "tensor/base/parallel.h"

namespace athanor::data {
namespace {

constexpr std::int64_t kImagesAChunk = 16;

void check_images(const char* op, const Tensor& images, DType dtype) {
  if (images.rank() != 4 || images.dtype() != dtype) {
    fail(op, "expected ", dtype, " [N, C, H, W], got ", describe(images));
  }
}

void erase(Picture& p, Generator& g) {
  const double area = (0.02 + 0.31 * g.next_uniform()) * static_cast<double>(p.height * p.width);
  const double aspect = std::exp((2 * g.next_uniform() - 1) * std::log(1 / 0.3));
  const auto height = std::clamp<std::int64_t>(std::llround(std::sqrt(area * aspect)), 1, p.height);
  const auto width = std::clamp<std::int64_t>(std::llround(std::sqrt(area / aspect)), 1, p.width);
  const std::int64_t top = g.next_below(p.height - height + 1);
  const std::int64_t left = g.next_below(p.width - width + 1);
  const auto grey = static_cast<std::uint8_t>(g.next_below(256));
  for (std::int64_t c = 0; c < p.channels; ++c) {
    for (std::int64_t y = top; y < top + height; ++y) {
      std::fill_n(p.row(c, y) + left, width, grey);
    }
  }
}

void change(Picture& p, const AugmentOptions& o, Generator& g, std::vector<std::uint8_t>& scratch) {
  if (o.crop_padding > 0) {
    const std::int64_t range = 2 * o.crop_padding + 1;
    const std::int64_t dy = g.next_below(range) - o.crop_padding;
    const std::int64_t dx = g.next_below(range) - o.crop_padding;
    shift_picture(p, dy, dx, scratch);
  }
  if (o.flip && g.next_below(2) == 1) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      for (std::int64_t y = 0; y < p.height; ++y) std::reverse(p.row(c, y), p.row(c, y) + p.width);
    }
  }
  for (std::int64_t i = 0; i < o.operations; ++i) {
    const std::int64_t which = g.next_below(kPictureChanges);
    const double strength = g.next_below(2) == 1 ? o.magnitude : -o.magnitude;
    change_picture(p, which, strength, scratch);
  }
  if (o.erase > 0 && g.next_uniform() < o.erase) erase(p, g);
}

// Beta(a, a) by Joehnk's method for a <= 1 and by two gammas (Marsaglia & Tsang 2000) above.
double draw_gamma(double a, Generator& g) {
  const double d = a - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = g.next_normal(), v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    const double u = g.next_uniform();
    if (u > 0 && std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double draw_beta(double a, Generator& g) {
  if (a > 1) {
    const double x = draw_gamma(a, g), y = draw_gamma(a, g);
    return x / (x + y);
  }
  for (;;) {
    const double x = std::pow(g.next_uniform(), 1 / a), y = std::pow(g.next_uniform(), 1 / a);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}

struct Mixing {
  std::vector<std::int64_t> partner;
  std::vector<std::int64_t> labels;
  std::vector<float> images;
  MixedBatch result;
};

Mixing begin_mixing(const char* op, const Tensor& images, const Tensor& labels, double alpha,
                    Generator& g) {
  check_images(op, images, DType::f32);
  if (labels.rank() != 1 || labels.dtype() != DType::i64 || labels.numel() != images.size(0)) {
    fail(op, "expected labels i64 [", images.size(0), "], got ", describe(labels));
  }
  if (!(alpha > 0)) fail(op, "expected alpha > 0, got ", alpha);
  Mixing m;
  m.partner = random_permutation(images.size(0), g).to_vector<std::int64_t>();
  m.labels = labels.to_vector<std::int64_t>();
  m.images = images.to_vector<float>();
  m.result.images = empty(images.shape());
  return m;
}

// `share` of each image's own label, the rest of its partner's.
void mix_targets(const char* op, Mixing& m, std::int64_t classes, double share) {
  m.result.targets = empty({std::ssize(m.labels), classes});
  float* out = m.result.targets.data<float>();
  std::fill_n(out, m.result.targets.numel(), 0.0f);
  for (std::size_t i = 0; i < m.labels.size(); ++i) {
    const std::int64_t own = m.labels[i];
    if (own < 0 || own >= classes) fail(op, "expected labels in [0, ", classes, "), got ", own);
    float* row = out + static_cast<std::int64_t>(i) * classes;
    row[own] += static_cast<float>(share);
    row[m.labels[static_cast<std::size_t>(m.partner[i])]] += static_cast<float>(1 - share);
  }
}

}  // namespace

Tensor augment(const Tensor& images, const AugmentOptions& o, Generator& generator) {
  check_images("augment", images, DType::u8);
  if (o.crop_padding < 0 || o.operations < 0 || !(o.magnitude >= 0 && o.magnitude <= 1) ||
      !(o.erase >= 0 && o.erase <= 1)) {
    fail("augment",
         "expected crop_padding and operations >= 0, magnitude and erase in [0, 1], got ",
         o.crop_padding, ", ", o.operations, ", ", o.magnitude, " and ", o.erase);
  }
  const std::vector<std::uint8_t> source = images.to_vector<std::uint8_t>();
  Tensor out = from_values(source, images.shape());
  const std::int64_t count = images.size(0);
  const Generator base = generator.fork(generator.next_u32());
  parallel_for(count, kImagesAChunk, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint8_t> scratch;
    const std::int64_t size = images.numel() / count;
    for (std::int64_t i = begin; i < end; ++i) {
      Generator g = base.fork(static_cast<std::uint64_t>(i));
      Picture picture{out.data<std::uint8_t>() + i * size, images.size(1), images.size(2),
                      images.size(3)};
      change(picture, o, g, scratch);
    }
  });
  return out;
}

MixedBatch mixup(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                 Generator& generator) {
  Mixing m = begin_mixing("mixup", images, labels, alpha, generator);
  const double share = draw_beta(alpha, generator);
  mix_targets("mixup", m, classes, share);
  const std::size_t size = m.labels.empty() ? 0 : m.images.size() / m.labels.size();
  float* out = m.result.images.data<float>();
  for (std::size_t i = 0; i < m.labels.size(); ++i) {
    const float* own = m.images.data() + i * size;
    const float* other = m.images.data() + static_cast<std::size_t>(m.partner[i]) * size;
    for (std::size_t k = 0; k < size; ++k) {
      *out++ = static_cast<float>(share * own[k] + (1 - share) * other[k]);
    }
  }
  return std::move(m.result);
}

MixedBatch cutmix(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                  Generator& generator) {
  Mixing m = begin_mixing("cutmix", images, labels, alpha, generator);
  const std::int64_t C = images.size(1), H = images.size(2), W = images.size(3);
  // A rectangle of the area 1 - share around a random place, cut at the edges.
  const double side = std::sqrt(1 - draw_beta(alpha, generator));
  const auto half_h = static_cast<std::int64_t>(side * static_cast<double>(H)) / 2;
  const auto half_w = static_cast<std::int64_t>(side * static_cast<double>(W)) / 2;
  const std::int64_t y = generator.next_below(std::max<std::int64_t>(H, 1));
  const std::int64_t x = generator.next_below(std::max<std::int64_t>(W, 1));
  const std::int64_t top = std::max<std::int64_t>(y - half_h, 0), bottom = std::min(y + half_h, H);
  const std::int64_t left = std::max<std::int64_t>(x - half_w, 0), right = std::min(x + half_w, W);
  const double cut = static_cast<double>((bottom - top) * (right - left));
  mix_targets("cutmix", m, classes,
              1 - cut / static_cast<double>(std::max<std::int64_t>(H * W, 1)));
  float* out = m.result.images.data<float>();
  std::copy(m.images.begin(), m.images.end(), out);
  for (std::size_t i = 0; i < m.labels.size(); ++i) {
    for (std::int64_t c = 0; c < C; ++c) {
      for (std::int64_t row = top; row < bottom; ++row) {
        const auto at = [&](std::int64_t image) { return ((image * C + c) * H + row) * W + left; };
        std::copy_n(m.images.data() + at(m.partner[i]), right - left,
                    out + at(static_cast<std::int64_t>(i)));
      }
    }
  }
  return std::move(m.result);
}

}  // namespace athanor::data
