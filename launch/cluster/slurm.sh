#!/usr/bin/env bash
# A Ray cluster over the nodes of one Slurm job, and the run on it:   sbatch FILE
# The project, its environment, the model and run_dir must lie where all nodes see them. The job goes on where an earlier
# one stopped, so it may be requeued. Keys (WANDB_API_KEY, OPENAI_API_KEY) come from the environment of sbatch.
#SBATCH --job-name=$name
#SBATCH --nodes=$nodes
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=$cpus
#SBATCH --mem=${memory_mib}M
$slurm_gpus
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --output=%x-%j.log
set -euo pipefail

PORT=6379
HEAD=$$(scontrol show hostnames "$$SLURM_JOB_NODELIST" | head -n 1)
ADDRESS=$$(srun --nodes=1 --ntasks=1 --nodelist="$$HEAD" hostname --ip-address | awk '{print $$1}')

# One daemon a node; they end with the job. srun does not take over the batch job's --cpus-per-task.
export SRUN_CPUS_PER_TASK=$cpus
srun --nodes=1 --ntasks=1 --nodelist="$$HEAD" \
  ray start --head --node-ip-address="$$ADDRESS" --port=$$PORT --num-cpus=$cpus --num-gpus=$gpus \
  --include-dashboard=false --block &
sleep 15
if [ "$$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --nodes=$$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$$((SLURM_JOB_NUM_NODES - 1)) --exclude="$$HEAD" \
    ray start --address="$$ADDRESS:$$PORT" --num-cpus=$cpus --num-gpus=$gpus --block &
fi

export RAY_ADDRESS="$$ADDRESS:$$PORT"
ALL_THERE='import ray, sys; ray.init(log_to_driver=False); sys.exit(sum(n["Alive"] for n in ray.nodes()) < $nodes)'
for _ in $$(seq 60); do
  python -c "$$ALL_THERE" && break
  sleep 5
done
$command
