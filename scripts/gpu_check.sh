#!/usr/bin/env bash
# Everything that needs a GPU, in one command: builds for it, runs the parity suite and the tests,
# compute-sanitizer on a sample, the main job on the device beside the CPU, and the benchmark
# against PyTorch if that is installed. Writes one text file, for docs/gpu.md.
#
#   scripts/gpu_check.sh [FILE]     (default: build/gpu_check.txt)
#
# Exits 1 when a check failed, 2 when there is no GPU to check.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build
out=${1:-build/gpu_check.txt}
failed=()

say() { printf '\n== %s\n' "$*" | tee -a "$out"; }
# step NAME COMMAND...: runs it, keeps the end of its output and whether it passed.
step() {
  local name=$1; shift
  say "$name: $*"
  local begin=$SECONDS
  "$@" >build/gpu_check.step 2>&1
  local status=$?
  tail -n 40 build/gpu_check.step | tee -a "$out"
  printf -- '-- %s, exit status %d, %d s\n' "$name" "$status" $((SECONDS - begin)) | tee -a "$out"
  [ "$status" -eq 0 ] || failed+=("$name")
}

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi >/dev/null 2>&1; then
  echo "gpu_check: no usable NVIDIA GPU: nvidia-smi is absent or fails" >&2
  exit 2
fi
: >"$out"
say "$(date -u +%F) $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -1)"
git rev-parse HEAD >>"$out" 2>/dev/null || true

architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '.')
step configure cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$architecture"
step build cmake --build build/cuda --parallel "$(nproc)"
[ ${#failed[@]} -eq 0 ] || { echo "gpu_check: the build failed, see $out" >&2; exit 1; }

step doctor build/cuda/athanor doctor
step parity build/cuda/tests/cuda/cuda_parity_test
step tests ctest --test-dir build/cuda --parallel "$(nproc)" --no-label-summary --quiet
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck; do
    step "sanitizer $tool" compute-sanitizer --tool "$tool" --error-exitcode 9 \
      build/cuda/tests/cuda/cuda_parity_test "softmax*,*matmul*,cross_entropy*,sum*"
  done
else
  say "sanitizer: compute-sanitizer is not installed; skipped"
fi

step "main job, cpu" build/cuda/athanor distill --quick --device cpu --out build/gpu_check_cpu --json
step "main job, cuda" build/cuda/athanor distill --quick --device cuda --out build/gpu_check_cuda --json

if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  files=()
  for round in 1 2 3; do  # the sides alternate
    build/cuda/bench/gpu_bench cuda >"build/gpu_bench.$round.jsonl"
    python3 bench/gpu_torch.py >"build/gpu_torch.$round.jsonl"
    files+=("build/gpu_bench.$round.jsonl" "build/gpu_torch.$round.jsonl")
  done
  step benchmark python3 bench/gpu_torch.py "${files[@]}"
else
  say "benchmark: PyTorch with CUDA is not installed; own times only"
  step benchmark build/cuda/bench/gpu_bench cuda
fi

if [ ${#failed[@]} -gt 0 ]; then
  say "FAILED: ${failed[*]}"
  exit 1
fi
say "all passed"
