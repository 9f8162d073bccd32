// Networks on patches of images: a small vision transformer (Dosovitskiy et al. 2021) and MLP-Mixer
// (Tolstikhin et al. 2021). All but the last layer: [N, C, H, W] -> [N, width].
#pragma once

#include <memory>
#include <vector>

#include "nn/transformer.h"

namespace athanor::nn {

struct PatchOptions {
  Shape input = {3, 32, 32};  // C, H, W; multiples of patch
  std::int64_t patch = 4;
  std::int64_t width = 128;
  std::int64_t layers = 4;
  std::int64_t heads = 4;  // of the transformer
  double dropout = 0;
};

// A trained position for each patch, pre-norm layers, a norm, and the mean over the patches.
class VisionTransformer final : public Module {
 public:
  VisionTransformer(const PatchOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  std::shared_ptr<Module> patches_;
  std::shared_ptr<RowNormModule> norm_;
  Parameter positions_;  // [patches, width]
  std::shared_ptr<TransformerStack> stack_;
};

// In each layer one MLP mixes the patches of a channel (inner width 2 patches) and another the
// channels of a patch (4 width).
class MlpMixer final : public Module {
 public:
  MlpMixer(const PatchOptions& options, Generator& generator);
  Variable forward(const Variable& x) override;

 private:
  struct Layer {
    std::shared_ptr<Module> norm1, token_in, token_out, norm2, channel_in, channel_out;
  };
  std::shared_ptr<Module> patches_, norm_;
  std::shared_ptr<Dropout> dropout_;
  std::vector<Layer> layers_;
};

}  // namespace athanor::nn
