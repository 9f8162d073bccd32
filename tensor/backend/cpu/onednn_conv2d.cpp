// oneDNN's convolution: activations in N, H, W, C order as they are, weights reordered into the
// layout that the primitive asks for (they are small beside the activations).
//
// oneDNN splits the sums of a weight gradient by the number of threads. In deterministic mode each
// of its passes runs as one-thread primitives over images cut by shape, and partial weight
// gradients are added in their order.
#include <algorithm>
#include <vector>

#include "tensor/backend/conv_args.h"
#include "tensor/backend/cpu/conv2d_library.h"
#include "tensor/backend/cpu/onednn.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/base/deterministic.h"
#include "tensor/base/profile.h"

namespace athanor::cpu {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

enum class Pass : std::int64_t { forward, backward_input, backward_weight };

// Pass, threads, sizes of x and w, y's plane, stride, padding, dilation, groups, bias.
using ConvKey = std::array<std::int64_t, 20>;

struct ConvPrimitive {
  dnnl::primitive run;
  memory::desc x, w, b, y;
  memory::desc plain_w;     // as the caller holds it
  dnnl::reorder reorder_w;  // between plain_w and w; unused when they are equal
  bool reorders = false;
  std::size_t scratch = 0;
  std::size_t w_bytes = 0;
};

ConvKey key_of(Pass pass, const Conv2dArgs& a) {
  return {static_cast<std::int64_t>(pass),
          num_threads(),
          a.x.sizes[0],
          a.x.sizes[1],
          a.x.sizes[2],
          a.x.sizes[3],
          a.w.sizes[0],
          a.w.sizes[2],
          a.w.sizes[3],
          a.y.sizes[2],
          a.y.sizes[3],
          a.stride.h,
          a.stride.w,
          a.padding.h,
          a.padding.w,
          a.dilation.h,
          a.dilation.w,
          a.groups,
          a.b.data ? 1 : 0,
          0};
}

memory::dims dims_of(const Operand& t) { return memory::dims(t.sizes, t.sizes + t.rank); }

template <class Primitive, class Descriptor>
void finish(ConvPrimitive& conv, const Descriptor& descriptor, const memory::desc& w,
            bool w_is_result) {
  conv.run = Primitive(descriptor);
  conv.w = w;
  conv.scratch = descriptor.scratchpad_desc().get_size();
  conv.reorders = !(conv.w == conv.plain_w);
  if (!conv.reorders) return;
  conv.w_bytes = (conv.w.get_size() + 63) / 64 * 64;
  const dnnl::engine& engine = onednn_engine();
  conv.reorder_w =
      w_is_result
          ? dnnl::reorder(dnnl::reorder::primitive_desc(engine, conv.w, engine, conv.plain_w))
          : dnnl::reorder(dnnl::reorder::primitive_desc(engine, conv.plain_w, engine, conv.w));
}

ConvPrimitive make_conv(Pass pass, const Conv2dArgs& a) {
  constexpr auto f32 = memory::data_type::f32;
  ConvPrimitive conv;
  conv.x = memory::desc(dims_of(a.x), f32, Tag::nhwc);
  conv.y = memory::desc(dims_of(a.y), f32, Tag::nhwc);
  memory::dims w_dims = dims_of(a.w);
  if (a.groups > 1) {
    w_dims[0] /= a.groups;
    w_dims.insert(w_dims.begin(), a.groups);
  }
  conv.plain_w = memory::desc(w_dims, f32, a.groups > 1 ? Tag::goihw : Tag::oihw);
  const memory::desc any_w(w_dims, f32, Tag::any);
  if (a.b.data) conv.b = memory::desc({a.w.sizes[0]}, f32, Tag::x);
  const memory::dims strides{a.stride.h, a.stride.w};
  const memory::dims dilates{a.dilation.h - 1, a.dilation.w - 1};
  const memory::dims padding{a.padding.h, a.padding.w};
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  dnnl::engine& engine = onednn_engine();
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);

  using Forward = dnnl::convolution_forward;
  const Forward::primitive_desc forward(
      Forward::desc(dnnl::prop_kind::forward_training, direct, conv.x, any_w, conv.b, conv.y,
                    strides, dilates, padding, padding),
      attributes, engine);
  if (pass == Pass::forward) {
    finish<Forward>(conv, forward, forward.weights_desc(), false);
  } else if (pass == Pass::backward_input) {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward(
        Backward::desc(direct, conv.x, any_w, conv.y, strides, dilates, padding, padding),
        attributes, engine, forward);
    finish<Backward>(conv, backward, backward.weights_desc(), false);
  } else {
    using Backward = dnnl::convolution_backward_weights;
    const Backward::primitive_desc backward(
        Backward::desc(direct, conv.x, any_w, conv.b, conv.y, strides, dilates, padding, padding),
        attributes, engine, forward);
    finish<Backward>(conv, backward, backward.diff_weights_desc(), true);
  }
  return conv;
}

std::shared_ptr<const ConvPrimitive> conv_for(Pass pass, const Conv2dArgs& a) {
  static LruCache<ConvKey, ConvPrimitive, 256> cache;
  return cache.get(key_of(pass, a), [&] { return make_conv(pass, a); });
}

memory on(const memory::desc& desc, void* data) { return memory(desc, onednn_engine(), data); }

// The weight in the primitive's layout lies at the start of the scratch memory, the primitive's own
// scratch memory after it.
void run(const char* op, Pass pass, const Conv2dArgs& a) {
  detail::note_path("onednn");
  with_onednn(op, [&] {
    const auto conv = conv_for(pass, a);
    auto* scratch = static_cast<std::byte*>(thread_scratch(conv->w_bytes + conv->scratch));
    dnnl::stream& stream = onednn_stream();
    memory w = on(conv->plain_w, a.w.data);
    const memory packed = conv->reorders ? on(conv->w, scratch) : w;
    const memory pad(
        memory::desc({static_cast<std::int64_t>(conv->scratch)}, memory::data_type::u8, Tag::a),
        onednn_engine(), scratch + conv->w_bytes);
    const bool w_is_result = pass == Pass::backward_weight;
    if (conv->reorders && !w_is_result) {
      memory to = packed;
      conv->reorder_w.execute(stream, w, to);
    }
    const memory x = on(conv->x, a.x.data), y = on(conv->y, a.y.data);
    if (pass == Pass::forward) {
      conv->run.execute(stream, {{DNNL_ARG_SRC, x},
                                 {DNNL_ARG_WEIGHTS, packed},
                                 {DNNL_ARG_BIAS, on(conv->b, a.b.data)},
                                 {DNNL_ARG_DST, y},
                                 {DNNL_ARG_SCRATCHPAD, pad}});
    } else if (pass == Pass::backward_input) {
      conv->run.execute(stream, {{DNNL_ARG_DIFF_SRC, x},
                                 {DNNL_ARG_WEIGHTS, packed},
                                 {DNNL_ARG_DIFF_DST, y},
                                 {DNNL_ARG_SCRATCHPAD, pad}});
    } else {
      conv->run.execute(stream, {{DNNL_ARG_SRC, x},
                                 {DNNL_ARG_DIFF_WEIGHTS, packed},
                                 {DNNL_ARG_DIFF_BIAS, on(conv->b, a.b.data)},
                                 {DNNL_ARG_DIFF_DST, y},
                                 {DNNL_ARG_SCRATCHPAD, pad}});
      if (conv->reorders) {
        memory from = packed;
        conv->reorder_w.execute(stream, from, w);
      }
    }
    stream.wait();
  });
}

// While one lives, this thread's primitives are made for and run on one thread.
class OneThread {
 public:
  OneThread() : before_(num_threads()) { set_num_threads(1); }
  ~OneThread() { set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// A pass over some of the images, and its own weight gradients.
struct Piece {
  std::int64_t x_sizes[4], y_sizes[4];
  Conv2dArgs args;
  std::vector<float> dw, db;

  Piece(const Conv2dArgs& a, std::int64_t first, std::int64_t count, bool own_gradients) : args(a) {
    std::copy_n(a.x.sizes, 4, x_sizes);
    std::copy_n(a.y.sizes, 4, y_sizes);
    x_sizes[0] = y_sizes[0] = count;
    args.x.sizes = x_sizes;
    args.y.sizes = y_sizes;
    args.x.data = a.x.as<float>() + first * a.x.strides[0];
    args.y.data = a.y.as<float>() + first * a.y.strides[0];
    if (!own_gradients) return;
    dw.resize(static_cast<std::size_t>(a.w.numel()));
    args.w.data = dw.data();
    if (!a.b.data) return;
    db.resize(static_cast<std::size_t>(a.b.numel()));
    args.b.data = db.data();
  }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
};

void add_up(const std::vector<float>& part, const Operand& total) {
  float* sum = total.as<float>();
  for (std::size_t i = 0; i < part.size(); ++i) sum[i] += part[i];
}

void run_deterministic(const char* op, Pass pass, const Conv2dArgs& a) {
  constexpr std::int64_t kPieces = 16;  // as many threads can share the work
  const std::int64_t images = a.x.sizes[0], size = (images + kPieces - 1) / kPieces;
  const std::int64_t pieces = (images + size - 1) / size;
  const bool sums = pass == Pass::backward_weight;
  std::vector<std::unique_ptr<Piece>> parts;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::int64_t first = i * size, count = std::min(size, images - first);
    parts.push_back(std::make_unique<Piece>(a, first, count, sums && i > 0));
  }
  parallel_chunks(pieces, [&](std::int64_t i) {
    const OneThread one;
    run(op, pass, parts[static_cast<std::size_t>(i)]->args);
  });
  for (std::size_t i = 1; sums && i < parts.size(); ++i) {
    add_up(parts[i]->dw, a.w);
    if (a.b.data) add_up(parts[i]->db, a.b);
  }
}

void run_pass(const char* op, Pass pass, const Conv2dArgs& a) {
  deterministic() ? run_deterministic(op, pass, a) : run(op, pass, a);
}

}  // namespace

void library_conv2d(const Conv2dArgs& a) { run_pass("conv2d", Pass::forward, a); }
void library_conv2d_backward_input(const Conv2dArgs& a) {
  run_pass("conv2d_backward_input", Pass::backward_input, a);
}
void library_conv2d_backward_weight(const Conv2dArgs& a) {
  run_pass("conv2d_backward_weight", Pass::backward_weight, a);
}

}  // namespace athanor::cpu
