"""What a run needs of a machine, before it is trained: memory, arithmetic, traffic between cards, cores, hours."""
