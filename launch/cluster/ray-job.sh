#!/usr/bin/env bash
# The run as a job of a Ray cluster that is up:   RAY_API_SERVER_ADDRESS=http://127.0.0.1:8265 bash FILE
# Reach the dashboard's port over a tunnel, not over the network:   ssh -L 8265:127.0.0.1:8265 HEAD
# medrl and its environment must be installed on every node; model and run_dir must lie where all nodes see them.
# Needs $nodes node(s) with $cpus CPUs and $gpus GPUs each. Submitted again, it goes on where it stopped.
set -euo pipefail
: "$${RAY_API_SERVER_ADDRESS:?set it to the address of the job server, e.g. http://127.0.0.1:8265}"

ray job submit --submission-id "$name-$$(date +%s)" --entrypoint-num-cpus 1 -- \
  env RAY_ADDRESS=auto $command
