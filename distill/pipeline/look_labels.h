// Labels of tables with pictures or sounds, judged by the small CNNs that judge images.
#pragma once

#include <filesystem>

#include "distill/pipeline/out_of_fold.h"
#include "distill/refine/table_features.h"

namespace athanor::distill {

// What FeatureOptions::judge_looks may be. The models see Look::grey, 32 x 32 grey pixels, no
// colours; they log into `out` (created) as in refine_images(). Throws TableInterrupted where
// `stop` says so.
LookJudge look_judge(std::filesystem::path out, OutOfFoldOptions options, StopRequest stop);

}  // namespace athanor::distill
