"""Units that a smaller network could do without, found by ablation."""
