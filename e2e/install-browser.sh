#!/usr/bin/env bash
# The browser that the UI's tests drive, from Debian's packages. Does nothing where it is installed.
set -euo pipefail
if command -v chromium >/dev/null; then
    echo "chromium is installed: $(command -v chromium)"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "no chromium and no apt-get: install Chromium and put it on PATH as 'chromium'" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then sudo="sudo -n"; fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
$sudo apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core
