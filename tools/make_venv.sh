#!/usr/bin/env bash
# Make or mend a virtual environment: make_venv.sh VENV "LOCK" "PYTHON" 3.11 3.12
# LOCK may be empty: choose_lock.sh then chooses; PYTHON too: the first of the versions that is found. What is up to
# date is left alone; an environment that already holds what the lock names is adopted in seconds.
set -euo pipefail
venv=$1 lock=$2
stamp() { echo "$venv/.lock-$(cksum <"$1" | cut -d ' ' -f 1)"; }
for known in ${lock:-requirements.lock requirements-cpu.lock}; do [ ! -e "$(stamp "$known")" ] || exit 0; done
python=${3:-$(tools/find_python.sh "${@:4}")}
lock=${lock:-$(tools/choose_lock.sh "$venv")}
if [ ! -x "$venv/bin/python" ]; then
  echo "Making $venv with $("$python" --version): once, some minutes"
  "$python" -m venv "$venv"
fi
total=$(grep -c == "$lock")
echo "Installing the $total packages of $lock into $venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input)
"${pip[@]}" install --progress-bar off --requirement "$lock" | awk -v total="$total" '
  /^ *(Downloading|Using cached) .*(whl|gz) \(/ { sub(/^ */, ""); count++; if (/GB\)|[0-9][0-9][0-9]?\.[0-9] MB\)/) {
    print "  " count " of about " total ": " $0; fflush() } }
  /^Installing collected/ { print "  unpacking, the longest part"; fflush() }'
"${pip[@]}" --quiet install --no-deps --editable .
# The notebooks ask for "python3": registered inside this environment, it wins over any other on the machine.
"$venv/bin/python" -m ipykernel install --sys-prefix --name python3 --display-name "Python 3 (course)" >/dev/null
rm -f "$venv"/.lock-*
touch "$(stamp "$lock")"
