#!/bin/sh
#SBATCH --kill-on-invalid-dep=yes
true
