#!/usr/bin/env bash
# The Prometheus that scrapes a recorder in the tests, from Debian's packages. Does nothing where it is installed.
set -euo pipefail
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    echo "prometheus is installed: $(command -v prometheus)"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "no prometheus and no apt-get: install Prometheus and put it and promtool on PATH" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then sudo="sudo -n"; fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
$sudo apt-get install -y -q --no-install-recommends prometheus
