"""The command that reads the limits as the gate does, and says what each of them judges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from modelcheck.cli.shared import FILE, say
from modelcheck.support.escaping import clean

__all__ = ["criteria"]


@click.command()
@click.option("--in", "folder", type=FILE, default=Path(), show_default=True, help="The project's folder.")
@click.option("--baseline", type=FILE, help="The approved signature's folder; by default that of the settings.")
def criteria(*, folder: Path, baseline: Path | None) -> None:
    """Read settings, criteria and waivers as the gate does, and list what is judged; nothing is measured.

    What the gate would refuse is refused here, with exit code 4 and the same words, in a second and
    without a network: a good check before a commit.

    \b
    Example:
      modelcheck criteria
    """
    from modelcheck.comparison import plan_metric
    from modelcheck.gate.plan import make_plan
    from modelcheck.gate.settings import SettingsError, read_settings
    from modelcheck.judgement.criteria import criterion_for
    from modelcheck.report.words import count

    settings = read_settings(folder, {"baseline": baseline})
    if settings.baseline is None:
        raise SettingsError(
            f"No baseline was given, and {str(folder / 'pyproject.toml')!r} names none in [tool.modelcheck]. Name it "
            "there, or use: modelcheck criteria --baseline FOLDER"
        )
    # The limits do not depend on which network is proposed.
    plan = make_plan(replace(settings, candidate=Path("candidate.keras"), source=None))
    gates = 0
    for number, row in enumerate(plan.criteria):
        things = [
            about
            for about in plan_metric(row.metric, plan.manifest, acknowledged=settings.acknowledged)
            if criterion_for(plan.criteria, row.metric, about) is plan.criteria[number]
        ]
        gates += 0 if row.advisory else len(things)
        name = row.metric if row.about == "*" else f"{row.metric}[{clean(row.about)}]"
        role = "informs" if row.advisory else "gates"
        judged = "nothing here" if not things else "the network" if things == [""] else ", ".join(map(clean, things))
        say(f"{role:<8} {name} {row.limits}: {judged}")
    verb = "gates" if gates == 1 else "gate"
    say(f"{count(gates, 'check')} {verb} the release; {count(len(plan.waivers), 'waiver')}.")
