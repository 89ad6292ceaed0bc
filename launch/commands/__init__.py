"""The commands of `medrl`, a file for each group. `add(commands)` declares one; what it runs is imported only then."""
