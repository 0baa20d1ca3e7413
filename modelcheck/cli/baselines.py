"""Commands on baselines: approve one, see what differs between two, read how one came about."""

from __future__ import annotations

import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelcheck.cli.interface import interface_options
from modelcheck.cli.limits import find_questions, starter_criteria
from modelcheck.cli.settings import find_settings
from modelcheck.cli.shared import FILE, child_progress, say
from modelcheck.gate.outputs import check_baseline_outputs, check_outputs
from modelcheck.gate.settings import Settings, has_settings, read_settings
from modelcheck.interface import Interface
from modelcheck.support.commands import write_command
from modelcheck.support.escaping import is_legible

if TYPE_CHECKING:
    from modelcheck.approval import Proposal
    from modelcheck.gate.request import AnyRecipe

__all__ = ["approve", "calibrate", "diff", "history"]

_SMALL = 2 * 2**20  # bytes of a network's file: a smaller one is measured before a plan is made
_LONG = 10.0  # minutes


@click.command()
@click.argument("model", type=FILE, required=False)
@click.option("--panel", "panel_path", type=FILE, help="The held-out panel (.npz).")
@click.option("--to", "folder", type=FILE, required=True, help="The baseline's folder.")
@click.option("--reason", help="Why this network becomes the baseline; kept in HISTORY.md. Asked for on a terminal.")
@click.option("--even-so", help="Why, where the network fails its own gate or is misread; kept in HISTORY.md.")
@click.option("--from", "report", type=FILE, help="A report of the gate: take the candidate that its run measured.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--picture", type=FILE, help="Also write the contact sheet to this file (.png).")
@click.option("--recipe", "recipe_path", type=FILE, help="Recipe settings (.toml or .json).")
@interface_options
def approve(  # noqa: PLR0913 - one for each option
    model: Path | None,
    *,
    panel_path: Path | None,
    folder: Path,
    reason: str | None,
    even_so: str | None,
    report: Path | None,
    dry_run: bool,
    picture: Path | None,
    recipe_path: Path | None,
    interface: Interface,
) -> None:
    """Make MODEL (.keras) the baseline: the only command that writes one.

    It measures MODEL, or takes what a run of the gate measured (--from), shows what changes, gates
    the file against itself, and asks why. Where that gate is red, or the outputs are misread, the
    baseline is made only with --even-so.

    \b
    Examples:
      modelcheck approve release.keras --panel heldout.npz --to baselines/mine --reason "release 7"
      modelcheck approve release.keras --panel heldout.npz --to baselines/mine --dry-run
      modelcheck approve --from report --to baselines/mine --reason "release 7"
    """
    asks = reason is None and not dry_run
    if asks and not sys.stdin.isatty():
        raise ValueError("An approval needs a reason: --reason 'why this network becomes the baseline'.")
    if reason is not None and not is_legible(reason):
        raise ValueError("An approval needs a reason, and this one is empty: --reason 'why it becomes the baseline'.")
    if even_so is not None and not is_legible(even_so):
        raise ValueError("--even-so needs a reason, and this one is empty: --even-so 'why the baseline is right'.")
    inputs = {"network": model, "panel": panel_path, "recipe": recipe_path, "report": report}
    check_baseline_outputs(folder, inputs={**inputs, "report": None}, within=report)
    if picture is not None:
        check_outputs({picture: "--picture"}, inputs={**inputs, "baseline": folder})
    proposal = _proposal(
        model,
        folder,
        panel=panel_path,
        report=report,
        recipe=recipe_path,
        interface=interface,
        stop_where_misread=even_so is None and not dry_run,
    )
    for line in proposal.lines:
        say(line)
    if picture is not None:
        from modelcheck.support.folders import place

        place(picture, proposal.sheet)
    if dry_run:
        for doubt in proposal.doubts:
            say(f"Speaks against it: {doubt}")
        say(f"Nothing was written to {folder}: this was a dry run.")
        return
    from modelcheck.approval import carry_out, check_doubts

    check_doubts(proposal, even_so=even_so or "")
    why = click.prompt("Why does this network become the baseline?") if reason is None else reason
    for line in carry_out(proposal, reason=why, even_so=even_so or ""):
        say(line)
    _say_next(folder, panel=panel_path)


def _proposal(
    model: Path | None,
    folder: Path,
    *,
    panel: Path | None,
    report: Path | None,
    recipe: Path | None,
    interface: Interface,
    stop_where_misread: bool,
) -> Proposal:
    from modelcheck.approval import propose, propose_from_report
    from modelcheck.cli.recipes import recipe_on
    from modelcheck.panel import load_panel

    if report is not None:
        said = interface.to_dict().items()
        for name, value in (("--panel", panel), ("--recipe", recipe), *((f"--{name}", value) for name, value in said)):
            if value is not None:
                raise click.UsageError(f"--from already brings what was measured; leave {name} out.")
        return propose_from_report(report, folder, model=model)
    if model is None or panel is None:
        raise click.UsageError("Name a network and its panel, MODEL --panel PANEL.npz, or a run: --from report")
    if recipe is None:
        _name_plan(model, panel, interface=interface)
    chosen = recipe_on(load_panel(panel, max_gib=read_settings(Path.cwd()).panel_size), recipe) if recipe else None
    with child_progress() as tell, tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        return propose(
            model,
            panel,
            folder,
            recipe=chosen,
            interface=interface,
            settings=_settings_here(Path(aside), panel=panel, recipe=chosen),
            stop_where_misread=stop_where_misread,
            tell=tell,
        )


def _name_plan(model: Path, panel: Path, *, interface: Interface) -> None:
    """Say in one line when the default recipe takes long, and how to make a lighter one; go on whatever it says."""
    from modelcheck.cli.plan import make_plan
    from modelcheck.gate.heldout import is_table
    from modelcheck.modelfile import tell_format
    from modelcheck.panel import load_panel

    if not model.is_file() or model.stat().st_size < _SMALL or tell_format(model) != "keras":
        return
    if is_table(load_panel(panel, max_gib=read_settings(Path.cwd()).panel_size)):
        return
    found = make_plan(model, panel, minutes=_LONG, recipe=None, interface=interface)
    if found.default.minutes > _LONG:
        command = ["modelcheck", "plan", model, "--panel", panel, "--minutes", f"{_LONG:g}", "--to", "recipe.toml"]
        say(
            f"A gate with the default recipe takes about {found.default.minutes:.0f} minutes here. For a lighter one: "
            f"{write_command(command)}"
        )


def _settings_here(aside: Path, *, panel: Path, recipe: AnyRecipe | None = None) -> Settings:
    """Return the settings of the working folder; what its gate would need and it has not is put aside for one run."""
    from modelcheck.panel import load_panel
    from modelcheck.table_recipe import TableRecipe

    settings = find_settings(aside)
    if not settings.criteria.exists():
        questions = find_questions(load_panel(panel, max_gib=settings.panel_size), None)
        if isinstance(recipe, TableRecipe):  # init will not ask either what is not measured
            questions = replace(questions, drivers=bool(recipe.exchange_rows))
        elif recipe is not None:
            questions = replace(questions, places=bool(recipe.exchange_pictures))
        settings = replace(settings, criteria=aside / "the limits that modelcheck init writes", waivers=None)
        settings.criteria.write_text(starter_criteria(questions), encoding="utf-8")
    return settings


def _find_panel(folder: Path) -> Path:
    """Return the panel of a baseline: in its folder, or else the one that the settings of the working folder name."""
    beside = folder / "panel.npz"
    named = None if beside.exists() else read_settings(Path.cwd()).panel
    if not (named or beside).exists():
        raise ValueError(
            f"The panel of {str(folder)!r} is not at {str(named or beside)!r}. Give the one that the baseline was "
            f"approved on: modelcheck calibrate {shlex.quote(str(folder))} --panel heldout.npz --twin ..."
        )
    return named or beside


def _say_next(folder: Path, *, panel: Path | None) -> None:
    """Say which command follows in the working folder."""
    if has_settings(Path.cwd()):
        say("Next:    modelcheck init, which adds the limits and suites that came within reach; then pytest suites/")
        return
    held = panel or folder / "panel.npz"
    options = f"--candidate CANDIDATE.keras --baseline {shlex.quote(str(folder))} --panel {shlex.quote(str(held))}"
    say(f"Next:    modelcheck init {options}")


@click.command()
@click.argument("folder", metavar="BASELINE", type=FILE)
@click.option("--twin", "twins", type=FILE, multiple=True, help="A clean network, trained again; give several.")
@click.option(
    "--panel",
    "panel_path",
    type=FILE,
    help="The baseline's panel; by default the one in its folder, or of the settings.",
)
@click.option("--dry-run", is_flag=True, help="Show what the twins reach, and write nothing.")
def calibrate(folder: Path, *, twins: tuple[Path, ...], panel_path: Path | None, dry_run: bool) -> None:
    """Keep retrained twins in BASELINE: what trained again looks like, and what clean networks react to.

    With two twins the gate judges by what they reach instead of by absolute limits, and searches for
    planted triggers; three say more. Clean networks of a candidate's own architecture may be given
    beside them: attention and triggers then know what is that family's way. All are measured,
    reduced and kept; the files are not needed afterwards. It also says how many of the twins your
    criteria would refuse, and by what.

    \b
    Example:
      modelcheck calibrate baselines/mine --twin seed1.keras --twin seed2.keras --twin seed3.keras
    """
    from modelcheck.approval import carry_out, propose_twins
    from modelcheck.comparison import has_same_architecture

    panel_path = panel_path or _find_panel(folder)
    named = {f"network {twin.name}": twin for twin in twins}
    check_baseline_outputs(folder, inputs={"panel": panel_path, **named})
    with child_progress() as tell, tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        settings = _settings_here(Path(aside), panel=panel_path)
        proposal = propose_twins(folder, twins, panel=panel_path, settings=settings, tell=tell)
    for line in proposal.lines:
        say(line)
    if dry_run:
        say(f"Nothing was written to {folder}: this was a dry run.")
        return
    retrained = sum(has_same_architecture(twin, proposal.new) for twin in proposal.new.retrained)
    beside = f" and {len(twins) - retrained} clean networks of other architectures" if len(twins) > retrained else ""
    for line in carry_out(proposal, reason=f"Calibrated with {retrained} retrained twins{beside}."):
        say(line)
    _say_next(folder, panel=panel_path)


@click.command()
@click.argument("one", metavar="BASELINE_A", type=FILE)
@click.argument("other", metavar="BASELINE_B", type=FILE)
@click.option("--picture", type=FILE, help="Also write a contact sheet of the two to this file (.png).")
def diff(one: Path, other: Path, *, picture: Path | None) -> None:
    """Say what changed from one signature to another: network, layers, accuracy, scores, versions.

    \b
    Example, with the baseline of an earlier commit:
      git worktree add ../before HEAD~1
      modelcheck diff ../before/baselines/mine baselines/mine --picture change.png
    """
    from modelcheck.approval import changes, compare_if_possible, contact_sheet
    from modelcheck.signature import read_record
    from modelcheck.support.folders import place

    if picture is not None:
        check_outputs({picture: "--picture"}, inputs={"baseline": one, "other baseline": other})
    old, new = read_record(one), read_record(other)
    comparison = compare_if_possible(old, new)
    for line in changes(old, new, comparison, roles=("A", "B")):
        say(line)
    if picture is not None:
        place(picture, contact_sheet(old, new, comparison))


@click.command()
@click.argument("folder", type=FILE)
@click.pass_context
def history(ctx: click.Context, *, folder: Path) -> None:
    """Print who approved a baseline when and why, and check the folder: record, panel, history and contact sheet.

    Exit code 1 when something does not belong to the rest.

    \b
    Example:
      modelcheck history baselines/mine
    """
    from modelcheck.approval import HISTORY, HistoryError, faults, parse_history
    from modelcheck.signature import SignatureError
    from modelcheck.support.escaping import clean
    from modelcheck.support.files import read_file

    path = folder / HISTORY
    if not path.exists():
        raise SignatureError(f"There is no history at {str(path)!r}: modelcheck approve writes it with the baseline.")
    try:
        entries = parse_history(read_file(path).decode("utf-8"))
    except (HistoryError, UnicodeDecodeError):
        entries = []  # named among the faults
    for entry in entries:
        facts = {name: clean(value) for name, value in entry.facts.items()}
        say(f"{entry.when}  {facts['reason']}")
        say(f"    {facts['network']}, by {facts['by']}, on {facts['platform']}")
        replaced = facts["replaces"]
        say(f"    signature {facts['signature'][:12]} in place of {replaced[:12]}, panel {facts['panel'][:12]}")
        for name in ("verdict", "against itself", "even so"):
            if name in facts:
                say(f"    {name}: {facts[name]}")
    wrong = faults(folder)
    for line in wrong:
        say(f"WRONG  {line}")
    say(f"{len(entries)} approvals; " + ("all belongs together." if not wrong else "see above."))
    ctx.exit(1 if wrong else 0)
