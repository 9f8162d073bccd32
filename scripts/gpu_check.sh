#!/usr/bin/env bash
# Everything that needs a GPU, in one command: builds for it, runs the parity suite and the tests,
# compute-sanitizer on a sample, the main job on the device beside the CPU, and the benchmark
# against PyTorch if that is installed. Writes one text file, for docs/gpu.md.
#
#   scripts/gpu_check.sh [FILE]     (default: build/gpu_check.txt)
#
# ATHANOR_GPU_BUILD=DIR   take the programs of this build directory instead of building here
# ATHANOR_GPU_DATA=DIR    Fashion-MNIST, where it is not installed as a package
# ATHANOR_GPU_STEPS=...   some of "parity sanitizer job products bench others compile" (default: all)
#
# Exits 1 when a check failed, 2 when there is no GPU to check.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
mkdir -p build
out=$(realpath -m "${1:-build/gpu_check.txt}")
build=${ATHANOR_GPU_BUILD:-build/cuda}
steps=${ATHANOR_GPU_STEPS:-parity sanitizer job products bench others compile}
export athanor=$build/athanor parity=$build/tests/cuda/cuda_parity_test
products=$build/bench/gpu_bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()

say() { printf '\n== %s\n' "$*" | tee -a "$out"; }
# step NAME COMMAND...: runs it, keeps the end of its output and whether it passed.
step() {
  local name=$1; shift
  say "$name: $*"
  local begin=$SECONDS
  "$@" >"$work/step" 2>&1
  local status=$?
  tail -n 60 "$work/step" | tee -a "$out"
  printf -- '-- %s, exit status %d, %d s\n' "$name" "$status" $((SECONDS - begin)) | tee -a "$out"
  [ "$status" -eq 0 ] || failed+=("$name")
}
wanted() { [[ " $steps " == *" $1 "* ]]; }

# Each case of the parity test in a process of its own: a fault ends the others' context otherwise.
parity_case() {
  local name=$1 log
  log=$(mktemp)
  # The name as a pattern of Catch2.
  if timeout 120 "$parity" "$(printf '%s' "$name" | sed 's/[][,\\*]/\\&/g')" >"$log" 2>&1; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    grep -v '^[~.=-]*$' "$log" | head -n 40
  fi
  rm -f "$log"
}
export -f parity_case
parity_suite() {
  "$parity" --list-test-names-only | grep -v '^device: ' | sed 's/^ *//; /^$/d' >"$work/names"
  tr '\n' '\0' <"$work/names" | xargs -0 -P "$(nproc)" -I{} bash -c 'parity_case "$1"' _ {} \
    >"$work/parity"
  grep -v '^ok ' "$work/parity"
  echo "$(grep -c '^ok ' "$work/parity") of $(wc -l <"$work/names") cases give what the CPU gives"
  ! grep -q '^FAILED' "$work/parity"
}

# The same recipe on both devices, three seeds: accuracy and effective data of each.
main_job() {
  local device seed
  local options=(--json)
  [ -z "${ATHANOR_GPU_DATA:-}" ] || options+=(--set "data.dir=$ATHANOR_GPU_DATA")
  for device in cuda cpu; do
    for seed in 1 2 3; do
      "$athanor" distill "${options[@]}" --device $device --seed $seed \
        --out "$work/job_${device}_$seed" >"$work/job_${device}_$seed.json" || return 1
    done
  done
  python3 - "$work" <<'EOF'
import json, statistics, sys
rows = {d: [json.load(open(f"{sys.argv[1]}/job_{d}_{s}.json")) for s in (1, 2, 3)]
        for d in ("cuda", "cpu")}
for device, runs in rows.items():
    for run in runs:
        by_name = {r["name"]: r["accuracy"] for r in run["table"]}
        print(f"{device:5} seed {run['seed']}: {run['seconds']['total']:6.1f} s, accuracy " +
              ", ".join(f"{n} {a:.4f}" for n, a in by_name.items()))
means = {d: statistics.fmean(r["student"]["accuracy"] for r in runs) for d, runs in rows.items()}
print(f"student, mean of 3 seeds: cuda {means['cuda']:.4f}, cpu {means['cpu']:.4f}")
sys.exit(abs(means["cuda"] - means["cpu"]) > 0.01)
EOF
}

# Large products and convolutions, the sides alternating.
products_beside_torch() {
  local files=() round
  for round in 1 2 3; do
    "$products" cuda >"$work/ours.$round" || return 1
    python3 bench/gpu_torch.py >"$work/torch.$round" 2>/dev/null || return 1
    files+=("$work/ours.$round" "$work/torch.$round")
  done
  python3 bench/gpu_torch.py "${files[@]}"
}
# Training steps and small operations likewise.
beside_torch() {
  python3 bench/compare.py "$@" --device cuda --athanor "$athanor"
}
small_rows=(op_chain kd_loss mlp_train gpt_train encoder_train_bf16)
other_rows=(mlp1200_train encoder_train attention_train layer_norm softmax gelu encoder_infer)
# PyTorch's convolutions round their inputs to TF32 by default; here so do ours.
images_beside_torch() {
  ATHANOR_TF32=1 beside_torch cnn_train resnet8_train cnn_infer --alternations 3
}

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi >/dev/null 2>&1; then
  echo "gpu_check: no usable NVIDIA GPU: nvidia-smi is absent or fails" >&2
  exit 2
fi
: >"$out"
say "$(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -1)"
git rev-parse HEAD >>"$out" 2>/dev/null || true

if [ -z "${ATHANOR_GPU_BUILD:-}" ]; then
  architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '.')
  step configure cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$architecture"
  step build cmake --build build/cuda --parallel "$(nproc)"
  [ ${#failed[@]} -eq 0 ] || { echo "gpu_check: the build failed, see $out" >&2; exit 1; }
  step tests ctest --test-dir build/cuda --parallel "$(nproc)" --no-label-summary --quiet \
    --exclude-regex '^cuda_parity_test$'
fi

step doctor "$athanor" doctor
! wanted parity || step parity parity_suite
if wanted sanitizer && command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "sanitizer $tool" compute-sanitizer --tool $tool --error-exitcode 9 \
      "$parity" "softmax*,*matmul*,cross_entropy*,sum*,attention*,AdamW*,max_pool2d*"
  done
elif wanted sanitizer; then
  say "sanitizer: compute-sanitizer is not installed; skipped"
fi
! wanted job || step "main job" main_job

if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  ! wanted products || step products products_beside_torch
  ! wanted bench || step bench beside_torch "${small_rows[@]}" --alternations 7
  ! wanted others || step "other rows" beside_torch "${other_rows[@]}" --alternations 3
  ! wanted others || step "images, TF32" images_beside_torch
  ! wanted compile || step "PyTorch compiled" beside_torch "${small_rows[@]}" --alternations 3 \
    --peer-options=--compile
else
  say "benchmark: PyTorch with CUDA is not installed; own times only"
  step products "$products" cuda
  step bench "$athanor" bench --device cuda
fi

if [ ${#failed[@]} -gt 0 ]; then
  say "FAILED: ${failed[*]}"
  exit 1
fi
say "all passed"
