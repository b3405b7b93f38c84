#!/bin/bash
# Gradescope runs this once, when it makes the image. What the archive holds is in /autograder/source then.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y --no-install-recommends gcc libc6-dev make patch strace bubblewrap util-linux procps \
    python3 python3-pytest python3-jinja2
# The grader needs Python 3.11. Ubuntu 22.04 has it beside its own 3.10; both find the packages above.
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    apt-get install -y --no-install-recommends python3.11
fi
# The container has no namespaces of its own to give: there a submission is kept out by the rights of files.
chmod 700 /autograder/source
