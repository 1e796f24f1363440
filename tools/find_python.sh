#!/usr/bin/env bash
# Print the first Python that runs here, of the versions asked for in order: find_python.sh 3.11 3.12
# Looks on PATH, then at what pyenv and uv have installed.
set -u
for version in "$@"; do
  candidates=("python$version" python3 python)
  for path in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do candidates+=("$path"); done
  uv=$(command -v uv >/dev/null && uv python find --no-python-downloads "$version" 2>/dev/null) && candidates+=("$uv")
  for python in "${candidates[@]}"; do
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null) || continue
    if [ "${found%% *}" = "$version" ]; then echo "${found#* }"; exit 0; fi
  done
done
echo "No Python $(IFS=/; echo "$*") found on PATH, in pyenv or in uv. Install one (for example: uv python install $1)," \
  "or name one: make PYTHON=/path/to/python PYTHON_COLAB=/path/to/python3.13 ..." >&2
exit 1
