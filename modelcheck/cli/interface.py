"""The options that say how a network's inputs and outputs are to be understood."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from modelcheck.gate.settings import read_interface
from modelcheck.interface import Interface

__all__ = ["interface_options"]

_OPTIONS = (
    click.option("--outputs", help="Class of each output, comma-separated, where there are more outputs than classes."),
    click.option("--output", help="The output that is judged, by name or counted from 0, where there are several."),
    click.option("--input", help="The input that takes the picture, where there are several."),
    click.option("--inputs", multiple=True, help="The value at which another input is held: age=0.5"),
    click.option("--label", help="The unit that is judged, where each answers a question of its own."),
    click.option(
        "--preprocessing", help="What is done to pictures first: bytes, rescale, tf, torch, caffe, bgr, a table."
    ),
    click.option("--threshold", help="Where the answers of a single unit part: 0.5 for one trained to 0 and 1."),
)


def interface_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which receives them as one value, `interface`."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        given = {item.name: options.pop(item.name) for item in fields(Interface)}
        return command(*arguments, interface=read_interface(given), **options)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
