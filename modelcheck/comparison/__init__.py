"""The parts of a comparison: layers, people, regions, and the table of metrics they fill."""
