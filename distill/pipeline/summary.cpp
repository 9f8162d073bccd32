#include "distill/pipeline/summary.h"

#include <algorithm>
#include <span>

#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/predict.h"
#include "distill/refine/feature_values.h"
#include "nn/metrics.h"

namespace athanor::distill {
namespace {

// Effective share of the smallest set of best-scored usable records whose true retention reaches
// `retention`: what the score is worth, apart from the choice of a threshold. NaN where all usable
// records together do not reach it.
double effective_share_at(const Manifest& manifest, const RefineStageResult& refined,
                          double retention) {
  std::vector<std::int64_t> best = refined.usable;
  std::stable_sort(best.begin(), best.end(), [&](std::int64_t a, std::int64_t b) {
    return refined.score[static_cast<std::size_t>(a)] > refined.score[static_cast<std::size_t>(b)];
  });
  if (evaluate_selection(manifest, best).retention < retention) return kNotApplicable;
  std::size_t low = 0, high = best.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const bool enough =
        evaluate_selection(manifest, std::span(best).first(middle)).retention >= retention;
    (enough ? high : low) = enough ? middle : middle + 1;
  }
  return evaluate_selection(manifest, std::span(best).first(low)).effective_share;
}

}  // namespace

using Json = nlohmann::json;

Json score_model(nn::Classifier& model, const Tensor& inputs, const Tensor& labels) {
  Json scores = score_logits(predict(model, inputs).logits, labels);
  scores["params"] = model.parameter_count();
  return scores;
}

Json score_logits(const Tensor& logits, const Tensor& labels) {
  const auto counts = nn::confusion_matrix(nn::predicted_classes(logits), labels, logits.size(1));
  return {{"accuracy", nn::accuracy(counts)}, {"f1", nn::macro_f1(counts)}, {"confusion", counts}};
}

Json refine_summary(const Manifest& manifest, const RefineStageResult& refined) {
  const SelectionQuality before =
      evaluate_selection(manifest, iota(static_cast<std::int64_t>(manifest.size())));
  const SelectionQuality after = evaluate_selection(manifest, refined.kept);
  const SelectionQuality free_checks = evaluate_selection(manifest, refined.usable);
  std::vector<char> effective;
  for (const ManifestRow& row : manifest) effective.push_back(row.effective);
  Json recalls = Json::object();
  for (const KindRecall& k : recall_by_kind(manifest, refined.kept)) {
    recalls[std::string(name_of(k.kind))] = k.recall;
  }
  Json by_score = Json::object();
  for (const char* name :
       {"freshness", "completeness", "consistency", "diversity", "weight3", "weight4"}) {
    by_score[name] = auroc(refined.column(name), effective);
  }
  by_score["score"] = auroc(refined.score, effective);
  const double at_095 = effective_share_at(manifest, refined, 0.95);
  return {{"effective_before", before.effective_share},
          {"effective_after", after.effective_share},
          {"effective_free_checks", free_checks.effective_share},
          {"retention", after.retention},
          {"effective_at_095", is_applicable(at_095) ? Json(at_095) : Json()},
          {"threshold", refined.threshold},
          {"auroc", by_score["score"]},
          {"auroc_by_score", by_score},
          {"recall_by_kind", recalls},
          {"kept", refined.kept.size()},
          {"total", refined.keep.size()}};
}

Json control_summary(const ArmResult& student, Json& notes) {
  Json control = {{"epsilon_final", student.epsilon_final},
                  {"clip_rate", student.clip.clip_rate},
                  {"triggers", student.compensation.alarms}};
  if (student.bound) {
    control["violations"] = student.bound->violation_share;
    control["mean_lambda"] = student.bound->mean_lambda;
    control["share_at_max"] = student.bound->share_at_max;
    control["active_share"] = 1 - student.bound->share_at_min;
    control["vacuous"] = student.bound->vacuous;
    if (student.bound->vacuous) {
      notes.push_back(
          "The bound eps_t was vacuous: lambda stood at its floor in more than 90% of "
          "the steps, so it changed nothing.");
    }
  }
  return control;
}

}  // namespace athanor::distill
