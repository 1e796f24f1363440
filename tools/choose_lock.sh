#!/usr/bin/env bash
# Print which lock suits this machine: choose_lock.sh VENV. The reason goes to the standard error.
# PyTorch's CPU build is a quarter as large: it is taken on Linux without an NVIDIA card, where its index answers.
# An environment that holds a torch already keeps its kind. COURSE_CPU_INDEX names another index (the tests do).
set -u
index=${COURSE_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
full() { echo "Taking requirements.lock ($1)" >&2; echo requirements.lock; exit 0; }
light() { echo "Taking requirements-cpu.lock ($1)" >&2; echo requirements-cpu.lock; exit 0; }
for installed in "$1"/lib/python*/site-packages/torch-*.dist-info; do
  case $installed in *+cpu.dist-info) light "as before" ;; *\**) ;; *) full "as before" ;; esac
done
[ "$(uname -s)" = Linux ] || full "PyTorch has one build for this system"
nvidia-smi -L 2>/dev/null | grep -q . && full "for the NVIDIA card"
python=$(command -v python3 || command -v python) || full "no Python to ask PyTorch's CPU index with"
"$python" - "$index/torch/" <<'ASK' 2>/dev/null || full "PyTorch's CPU index cannot be reached"
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=4).close()
ASK
light "no NVIDIA card: PyTorch's CPU build"
