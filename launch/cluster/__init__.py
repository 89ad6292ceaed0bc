"""Files that start a run on a cluster, rendered from a recipe: `medrl cluster slurm|kubernetes|ray-job RECIPE`."""
