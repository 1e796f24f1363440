#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests; on Debian as root, install one if there is none.
set -u
find_it() { for name in "${COURSE_CHROMIUM:-}" chromium chromium-browser google-chrome; do
  [ -n "$name" ] && command -v "$name" && return; done; return 1; }
find_it && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing chromium for the browser tests" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >&2 </dev/null && find_it && exit 0
fi
echo "The browser tests need Chromium: install it (Debian: sudo apt-get install chromium)," \
  "or set COURSE_CHROMIUM to a Chrome or Chromium." >&2
exit 1
