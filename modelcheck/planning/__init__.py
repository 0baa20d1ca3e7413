"""A plan before the work: what a measurement will take here, and a recipe that fits into some minutes."""
