#!/usr/bin/env bash
# Make or mend a virtual environment: make_venv.sh VENV LOCK PYTHON STAMP
# An environment that already holds what the lock names is adopted in seconds.
set -euo pipefail
venv=$1 lock=$2 python=$3 stamp=$4
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet)
if [ ! -x "$venv/bin/python" ]; then
  echo "Making $venv with $("$python" --version) (once; some minutes and about 7 GB)"
  "$python" -m venv "$venv"
fi
echo "Installing $lock into $venv"
"${pip[@]}" install --requirement "$lock"
"${pip[@]}" install --no-deps --editable .
# The notebooks ask for "python3": registered inside this environment, it wins over any other on the machine.
"$venv/bin/python" -m ipykernel install --sys-prefix --name python3 --display-name "Python 3 (course)" >/dev/null
rm -f "$venv"/.lock-*
touch "$stamp"
