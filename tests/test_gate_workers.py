"""Workers: the same bytes whatever the blocks and whoever measures them, and a killed one is started once more."""

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.gate import cache, child, worker, workers
from modelcheck.gate.child import ChildError, KilledError, RefusedError, carry_out
from modelcheck.gate.entries import KEY, KeptBlocks
from modelcheck.gate.jobs import Job, measure_all, measure_once
from modelcheck.gate.progress import JoinedProgress, progress_line, read_progress
from modelcheck.gate.request import Request, RequestError
from modelcheck.gate.settings import Settings, SettingsError, read_settings
from modelcheck.gate.splitting import split
from modelcheck.gate.worker import pack_task, unpack_result, work
from modelcheck.gate.workers import open_workers
from modelcheck.measurement import ExchangePartner
from modelcheck.measurement.measuring import measure_block, measure_network
from modelcheck.modelfile import ScanReport, scan_model
from modelcheck.recipe import Recipe
from modelcheck.signature import SignatureError, read_signature
from modelcheck.signature.parts import PART, Block, Part, join_parts, pack_part, unpack_part
from networks import plain
from signatures import make_panel

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saves so
LIGHT = Recipe(
    steps=3, copies=2, units_per_layer=3, probe_pictures=6, smoothgrad_samples=2, untrained_twins=2, sticker_faces=2
)
WHOLE = Block(stages=(0, 1, 2))
SECRET = "0123456789abcdef" * 2


def bytes_of(folder):
    """Return what a record's folder holds, by name, without what is for information alone."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "timing.json"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return a folder with a network, its partner's file and signature, and what one process measures of it."""
    folder = tmp_path_factory.mktemp("workers")
    panel = make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)
    panel.save(folder / "panel.npz")
    for name, seed in (("release", 4), ("candidate", 5)):
        plain(seed=seed).save(folder / f"{name}.keras")
    measure_network(folder / "release.keras", panel, LIGHT, twins=False).write(folder / "baseline")
    like = read_signature(folder / "baseline")
    partner = ExchangePartner(signature=like, model=folder / "release.keras")
    measure_network(folder / "candidate.keras", panel, LIGHT, stimuli=partner).write(folder / "whole")
    return folder, panel, partner


@pytest.fixture(scope="module")
def blocks(measured):
    """Return a function that measures a block of the network, each once."""
    folder, panel, partner = measured
    known = {}

    def measure(block):
        if block not in known:
            known[block] = pack_part(
                measure_block(folder / "candidate.keras", panel, LIGHT, block=block, stimuli=partner)
            )
        return unpack_part(known[block])

    return measure


def asked(folder, **change):
    """Return the request for the candidate that is measured whole."""
    values = {
        "network": folder / "candidate.keras",
        "panel": folder / "panel.npz",
        "like": folder / "baseline",
        "baseline_model": folder / "release.keras",
    }
    return Request(**{**values, **change})


def every(groups):
    """Return the blocks of three networks that are split by network and into groups of layers."""
    return [Block(stages=(stage,), group=group, groups=groups) for stage in range(3) for group in range(groups)]


SPLITS = [
    [WHOLE],
    [replace(WHOLE, group=group, groups=2) for group in range(2)],
    [replace(WHOLE, group=group, groups=5) for group in range(5)],
    every(1),
    every(2),
]


@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_the_bytes_are_the_same_whatever_the_blocks_and_their_order(data, measured, blocks, tmp_path_factory):
    """However a measurement is split, and in whatever order its blocks end, the stored files are those of one process."""
    folder, _, _ = measured
    chosen = data.draw(st.permutations(data.draw(st.sampled_from(SPLITS))))
    target = tmp_path_factory.mktemp("joined")
    join_parts([blocks(block) for block in chosen]).write(target)
    assert bytes_of(target) == bytes_of(folder / "whole")
