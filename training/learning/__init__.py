"""How a policy is made: recipes, networks, the teacher, PPO, checkpoints, export."""
