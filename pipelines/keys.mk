# keys.mk - what the steps of every pipeline have in common; make reads it
# before them, in the directory WORK.
#
# Each step has a key file, key/STEP: what goes in (ids of contents), the
# options that decide the result, the version of the programs. It is rewritten
# only when its text changes, and the step's output depends on it; so a run
# with nothing new touches no file.
#
# Whatever has its name is whole (see `step`), so nothing is ever to be
# deleted because a recipe was stopped.
#
# The commands run in the directory that the user is in, where the outputs
# are "$WORK/...".

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.SUFFIXES:

KEY = @"$$HERE/key" $(@F)
STEP = @"$$HERE/step"

.PHONY: all FORCE
# Its recipe is in the steps.
all:
