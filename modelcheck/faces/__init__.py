"""The worked example: drawn faces, CMU Faces, and the networks of the experiments. The core never imports it.

This door is light: it loads neither Keras nor pandas. Training is in `modelcheck.faces.train`,
photographs in `modelcheck.faces.cmu`.
"""

from __future__ import annotations

from modelcheck.faces.drawn import (
    Subject,
    colleagues,
    draw,
    draw_panel,
    draw_pictures,
    training_subjects,
    visitors,
)
from modelcheck.faces.networks import NETWORKS, Network, build
from modelcheck.faces.pictures import TASKS, Pictures

__all__ = [
    "NETWORKS",
    "TASKS",
    "Network",
    "Pictures",
    "Subject",
    "build",
    "colleagues",
    "draw",
    "draw_panel",
    "draw_pictures",
    "training_subjects",
    "visitors",
]
