"""Units that a smaller network could spare, told by ablation."""
