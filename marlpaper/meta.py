r"""Sequences of games: how one game's run becomes the next game's start.

Games $G^1,\dots,G^K$ are learned one after another, each by the same base learner. What the next game starts from
is a *rule*: a function of the runs so far that returns keyword arguments of the learner (`initial`, `initial_values`).
Game 1 always starts from the learner's own default, the uniform policy. Seeds are batch axes and run at once;
only the sequence itself is a loop.
"""

from dataclasses import dataclass

import numpy as np

from marlpaper import simplex, validation


@dataclass(frozen=True, eq=False)
class SequenceRun:
    r"""What learning a sequence of $K$ games leaves.

    Attributes
    ----------
    rules : tuple of str
        The meta-rules, by name.
    runs : tuple of K Run
        One run per game; its batch axes are those of the games without the first.
    checkpoints : array (C,)
        Iterations at which each run was evaluated.
    gaps : array (K, ..., C)
        NE-gap of the average policy there.
    values : array (K, ..., C)
        Its value to agent 0.
    """

    rules: tuple
    runs: tuple
    checkpoints: np.ndarray
    gaps: np.ndarray
    values: np.ndarray


def learn_sequence(games, learner, rule="individual"):
    r"""Learn $K$ games one after another, each started by a meta-rule from those before it.

    Parameters
    ----------
    games : MarkovGame
        The first batch axis is the sequence, the others run at once: batch (K, ...).
    learner : callable
        `learner(game, initial=..., initial_values=...)` returns a `Run`; e.g.
        `functools.partial(learners.optimistic_mirror_descent, iterations=1000, step_size=0.02, record=True)`.
    rule : str, callable, or a sequence of them
        Names from `RULES`: "individual" (every game starts afresh), "best-response-average" (`mao2023` eq. 5),
        "laplace", "output-average", "last-stage-average", "last-policy", "critic-warm-start"; several are combined, e.g. `("laplace", "critic-warm-start")`.
        A callable takes `(runs, count)`, the runs so far and $K$, and returns keyword arguments of the learner.

    Returns
    -------
    SequenceRun

    Raises
    ------
    ValueError
        If the games have no batch axis, a name is unknown, two rules set the same thing, or a rule needs
        recorded stages and the learner does not record them.
    """
    if not games.batch:
        raise ValueError(f"games is {games!r}, expected a leading batch axis: the sequence of games.")
    chosen = [rule] if isinstance(rule, str) or callable(rule) else list(rule)
    rules = [part if callable(part) else RULES[validation.choice("rule", part, tuple(RULES))] for part in chosen]
    runs = []
    for k in range(games.batch[0]):
        runs.append(learner(games[k], **(_combined(rules, runs, games.batch[0]) if runs else {})))
    return SequenceRun(
        rules=tuple(part if isinstance(part, str) else part.__name__ for part in chosen),
        runs=tuple(runs),
        checkpoints=runs[0].checkpoints,
        gaps=np.stack([run.gaps for run in runs]),
        values=np.stack([run.values for run in runs]),
    )


def individual(runs, count):
    """Every game from the learner's own start: no meta-learning."""
    return {}


def best_response_average(runs, count):
    r"""`mao2023` eq. (5): $\tilde\mu^{k+1}=\frac1k\sum_{k'\le k}[\mu^{k',\dagger}]_\alpha$, $\alpha=1/\sqrt K$, for every entry $(\tau,h,s)$."""
    alpha = 1 / np.sqrt(count)
    return {"initial": tuple(simplex.mix(best, alpha).mean(0) for best in best_responses(runs))}


def laplace(runs, count):
    r"""Add-one counts of best responses: $\tilde\mu^{k+1}=\frac{1+\sum_{k'\le k}\mu^{k',\dagger}}{k+A}$, for every entry $(\tau,h,s)$."""
    return {"initial": tuple((1 + best.sum(0)) / (len(runs) + best.shape[-1]) for best in best_responses(runs))}


def output_average(runs, count):
    """The mean over past games of their outputs, the average policies; meant for `restart=False`."""
    return {"initial": tuple(np.mean(parts, 0) for parts in zip(*(run.average_policy for run in runs), strict=True))}


def last_stage_average(runs, count):
    """The mean over past games of what they played on average in their last full stage; meant for `restart=False`."""
    stage = last_full_stage(_stages(runs)[0].lengths, runs[0].game.horizon)
    played = zip(*(run.stages.averages for run in runs), strict=True)
    return {"initial": tuple(np.mean([part[..., stage, :, :, :] for part in parts], 0) for parts in played)}


def last_policy(runs, count):
    r"""$\pi^{k+1,0}=\pi^{k,T}$: the next game starts where the last one ended (`mao2023` Section 4.1)."""
    return {"initial": runs[-1].policy}


def critic_warm_start(runs, count):
    r"""$Q^{k+1,1}=Q^{k,\bar\tau}$: the next game's values start from the last completed value update."""
    return {"initial_values": runs[-1].critic}


RULES = {
    "individual": individual,
    "best-response-average": best_response_average,
    "laplace": laplace,
    "output-average": output_average,
    "last-stage-average": last_stage_average,
    "last-policy": last_policy,
    "critic-warm-start": critic_warm_start,
}
"""The meta-rules by name. A new one is one function of the runs so far."""


def best_responses(runs):
    r"""Best responses $\mu^{k,\dagger},\nu^{k,\dagger}$ of all stages of recorded runs.

    Returns
    -------
    tuple of arrays (k, ..., stages, H, S, A_i)

    Raises
    ------
    ValueError
        If a run was not recorded.
    """
    return tuple(np.stack(parts) for parts in zip(*(stages.best_responses for stages in _stages(runs)), strict=True))


def last_full_stage(lengths, horizon):
    """Index of the last stage that was not cut short by the number of iterations (0 if only one began)."""
    if len(lengths) == 1:
        return 0
    full = lengths[-2] + lengths[-2] // horizon
    return len(lengths) - (1 if lengths[-1] == full else 2)


def _stages(runs):
    for k, run in enumerate(runs):
        if run.stages is None:
            raise ValueError(f"the run of game {k} has no stages, which this meta-rule needs: expected a learner with record=True.")
    return [run.stages for run in runs]


def _combined(rules, runs, count):
    """The keyword arguments of all rules; each may be set once."""
    settings = {}
    for rule in rules:
        part = rule(runs, count)
        twice = settings.keys() & part.keys()
        if twice:
            raise ValueError(f"rule sets {sorted(twice)[0]!r} twice, expected rules that combine, such as a policy and 'critic-warm-start'.")
        settings |= part
    return settings
