#!/usr/bin/env bash
# Installs what is missing, checks the sources, builds and tries the static programs, builds the
# release and runs every test; the last thing printed is ctest's summary. Options go to the
# configuration: scripts/test.sh -DATHANOR_WERROR=ON
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
failed=()
for check in layers stems files format docs ops op_cases; do
  python3 "scripts/check_$check.py" || failed+=("$check")
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "test: the sources fail the checks: ${failed[*]}; nothing was built" >&2
  exit 1
fi
cmake --preset static "$@"
cmake --build build/static --parallel "$(nproc)" \
  --target athanor-static trainer conv2d_test golden_training_test
ctest --test-dir build/static -R '^(conv2d_test|golden_training_test|check_static)$' \
  --output-on-failure --no-label-summary
cmake --preset release "$@"
cmake --build build/release --parallel "$(nproc)"
ctest --test-dir build/release --parallel "$(nproc)" --output-on-failure --no-label-summary
