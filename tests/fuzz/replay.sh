#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What `make test` does with the fuzz targets: all known inputs, and a minute for new ones.
exec "$(dirname "$0")/run.sh" 60
