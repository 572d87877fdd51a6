#!/bin/bash
# The stand-in's instructions do what the PTX manual says.
cd "$(dirname "$0")/../.." || exit
"${GRAFT_BUILD:-$PWD/build}/standin/instructions"
