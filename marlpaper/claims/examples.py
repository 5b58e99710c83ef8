"""A default instance for every claim, so that `marlpaper check ID` runs without further input."""

import functools

import numpy as np

from marlpaper import claims, evaluate, features, games, learners, meta, simplex
from marlpaper.claims import ascent, sampled, smoothness
from marlpaper.claims.mao2023 import burn_in, correlated_quantities, meta_correlated, meta_lemmas
from marlpaper.evaluate import softmax

EXAMPLES = {}
"""Claim-id prefixes (or whole ids) to a function `id -> (arguments, words)`; the longest prefix wins."""


def example(*prefixes):
    """Decorator: the function makes the default instance of the claims whose id starts with a prefix."""

    def register(function):
        EXAMPLES.update(dict.fromkeys(prefixes, function))
        return function

    return register


def run(id):
    """Check the claim `id` on its default instance.

    Returns
    -------
    Check

    Raises
    ------
    UnknownNameError
        If the id is unknown.
    ValueError
        If the claim is not covered yet.
    """
    if claims.registry.find(id).function is None:
        return claims.check(id)  # says why not
    matching = [prefix for prefix in EXAMPLES if id.startswith(prefix)]
    if not matching:
        raise ValueError(f"the claim {id!r} is not covered yet, expected one with a default instance.")
    arguments, words = EXAMPLES[max(matching, key=len)](id)
    return claims.check(id, *arguments, instance=words)


@example("mao2023.stage-count", "mao2023.lemma7", "mao2023.lemma8", "mao2023.lemma9", "mao2023.lemma10", "mao2023.lemma11", "mao2023.theorem1")
def random_zero_sum_run(id):
    """A recorded run of Algorithm 1 with the order and step size that the claim is about: on the counterexample if there is one."""
    if id in ("mao2023.theorem1", "mao2023.theorem1-step-size"):
        return (burn_in.chain_run(10, 1000),), "delayed-reward chain, stages started at their equilibria, H=10, T=1000"
    game = games.random_game(np.random.default_rng(0), horizon=4, states=3, actions=(3, 2))
    printed = ("repaired" not in id and "precise" not in id and "free" not in id) or "printed-order" in id
    step_size = 1 / (8 * 4**2) if printed else 1 / (4 * 4)
    recorded = _recorded(game, step_size, "printed" if printed and id != "mao2023.theorem1-restricted" else "repaired")
    return (recorded,), "random game, 3 states, 3×2 actions, H=4, T=300, uniform start"


@functools.cache
def _recorded(game, step_size, order):
    return learners.optimistic_mirror_descent(game, 300, step_size, order=order, record=True)


@example("mao2023.theorem2", "mao2023.equation", "mao2023.critic-warm-start")
def similar_games(id):
    """A recorded sequence of similar random games, with the meta-rule, order and step size that the claim is about."""
    rng = np.random.default_rng(0)
    reward = np.clip(games.random_game(rng, horizon=3).agent_rewards(0) + 0.1 * rng.standard_normal((8, 3, 2, 2, 2)), 0, 1)
    sequence = games.zero_sum(reward, games.random_game(rng, horizon=3).transitions)
    printed = "repaired" not in id and id not in ("mao2023.theorem2-laplace", "mao2023.critic-warm-start")
    learner = functools.partial(
        learners.optimistic_mirror_descent,
        iterations=300,
        step_size=1 / (8 * 3**2) if printed else 1 / (4 * 3),
        order="printed" if printed else "repaired",
        record=True,
    )
    rule = {"mao2023.theorem2-laplace": "laplace", "mao2023.critic-warm-start": ("laplace", "critic-warm-start")}.get(id, "best-response-average")
    words = " with ".join([rule] if isinstance(rule, str) else rule)
    return (meta.learn_sequence(sequence, learner, rule),), f"8 similar random games, 2 states, 2×2 actions, H=3, T=300, {words}"


@example("mao2023.lemma17", "mao2023.lemma18", "mao2023.lemma19", "mao2023.theorem5")
def random_general_sum_run(id):
    """A recorded run of Algorithm 2 on a random game, at the step size that the claim is about."""
    game = games.random_game(np.random.default_rng(0), horizon=3, actions=(3, 2), zero_sum=False)
    step = correlated_quantities.sharper_step if "sharper" in id else correlated_quantities.printed_step
    run = learners.correlated_mirror_descent(game, 200, step(3, 200, 2), record=True)
    return (run,), "random general-sum game, 2 states, 3×2 actions, H=3, T=200, uniform start"


@example("mao2023.theorem6", "mao2023.equation72", "mao2023.equation73")
def similar_general_sum_games(id):
    """Eight similar general-sum games, with the meta-rule that the claim is about, at the printed step size."""
    rng = np.random.default_rng(0)
    base = games.load("bach-chicken")
    noisy = games.perturb(base, 8, 0.1, rng)
    sequence = games.MarkovGame(np.clip(noisy.rewards, 0, 1), noisy.transitions, noisy.initial)
    step = meta_correlated.printed_step(base.horizon, 200, base.agents, 8)
    learner = functools.partial(learners.correlated_mirror_descent, iterations=200, step_size=step, record=True)
    rule = "laplace" if "laplace" in id else "best-response-average"
    return (meta.learn_sequence(sequence, learner, rule),), f"8 games like Bach or Stravinsky and chicken, H=3, T=200, {rule}"


@example("mao2023.lemma1", "mao2023.lemma2", "mao2023.laplace-regret")
def entry_by_entry(id):
    """Random distributions for the lemmas of Theorem 2: what each entry of the policies goes through over the games."""
    rng, alpha = np.random.default_rng(0), 0.2
    x = rng.dirichlet(np.full(3, 0.3), (25, 200))
    arguments = {
        "mao2023.lemma1": (x, simplex.mix(rng.permuted(x, axis=0), alpha), alpha),
        "mao2023.lemma2": (simplex.mix(x, alpha), np.ones(len(x))),
        "mao2023.laplace-regret": (x, meta_lemmas.laplace_starts(x)),
    }
    chosen = arguments.get(id.removesuffix("-repaired") if "lemma1" in id else id, (x, meta_lemmas.average_starts(x, alpha), alpha))
    return chosen, "random sequences of 25 distributions over 3 actions, alpha = 0.2"


@example("mao2023.prop1")
def trap_run(id):
    """One step of Q-ascent in the two-state trap from "always 0", at the printed step size."""
    game = games.load("two-state-trap")
    step_size = float(ascent.printed_cap(game, evaluate.mismatch(game)))
    run = learners.q_ascent(game, 1, step_size, [[[1, 0], [1, 0]]], checkpoints=(0, 1), record=True)
    return (run,), "two-state trap, γ=0.9, from the policy that always moves to state 0, T=1"


@example("mao2023.theorem3")
def similar_games_run(id):
    """Ten similar discounted cooperative games, each started where the last one ended."""
    rng = np.random.default_rng(0)
    sequence = games.perturb(games.common_reward(rng, discount=0.5), 10, 0.03, rng)
    step_size = float(ascent.printed_cap(sequence, evaluate.mismatch(sequence).max()))
    learner = functools.partial(learners.q_ascent, iterations=20, step_size=step_size, checkpoints=range(20))
    return (sequence, meta.learn_sequence(sequence, learner, "last-policy").runs), "10 similar cooperative games, γ=0.5, T=20"


@example("mao2023.lemma3", "mao2023.lemma4", "mao2023.lemma5", "mao2023.lemma6")
def random_matrices(id):
    """Random matrices for the lemmas about matrices."""
    rng = np.random.default_rng(0)
    matrices = rng.standard_normal((4, 4, 4))
    moved = matrices + 0.1 * rng.standard_normal((4, 4, 4))
    points = rng.standard_normal((2, 3))
    arguments = {
        "mao2023.lemma3": (list(matrices), list(moved)),
        "mao2023.lemma4": (rng.standard_normal((3, 2, 3)), *points),
        "mao2023.lemma5": (list(matrices),),
        "mao2023.lemma6": (matrices[0], (2, 2)),
    }
    return arguments[id], "random matrices"


@example("mao2023.lemma12")
def random_logits(id):
    """Two random logits of two agents with three actions."""
    rng = np.random.default_rng(0)
    return tuple(tuple(rng.standard_normal((2, 3)) for _ in range(2)) for _ in range(2)), "random logits, 2 agents, 2 states, 3 actions"


@example("mao2023.lemma13", "mao2023.lemma15", "mao2023.lemma16")
def random_softmax_game(id):
    """A random cooperative game and two random logits."""
    game = games.common_reward(np.random.default_rng(0), 3, (3, 3), 0.8)
    return (game, *random_logits_of(game)), "random cooperative game, 3 states, 3×3 actions, γ=0.8, random logits"


@example("mao2023.lemma14")
def random_softmax_games(id):
    """Three random cooperative games, two inner steps at the step size of Lemma 14; the coordination game for its saddle."""
    if id == "mao2023.lemma14-saddle":
        return (games.coordination(0.8), 4, 0.3), "coordination game, γ=0.8, uniform policies, T=4, α=0.3"
    batch = games.common_reward(np.random.default_rng(0), 2, (2, 2), 0.8, batch=(3,))
    return (batch, *random_logits_of(batch), 2, smoothness.inner_step(batch)), "3 random cooperative games, γ=0.8, T=2"


@example("mao2023.theorem4")
def maml_run(id):
    """Fifty outer steps of one over the smoothness constant that the claim is about."""
    batch = games.common_reward(np.random.default_rng(0), 2, (2, 2), 0.5, batch=(3,))
    constant = smoothness.sharper_meta if "sharper" in id else smoothness.printed_meta
    step_size = smoothness.inner_step(batch)
    run = learners.maml(batch, 50, 1 / constant(batch, 2, step_size), 2, step_size, random_logits_of(batch)[0])
    return (run,), "3 random cooperative games, γ=0.5, T=2, 50 outer steps"


def random_logits_of(game):
    """Two random logits, close to each other, for every state of a game."""
    rng = np.random.default_rng(1)
    first = tuple(rng.standard_normal((game.states, count)) for count in game.actions)
    return first, softmax.unflatten(softmax.flatten(first) + 0.1 * rng.standard_normal(game.states * sum(game.actions)), first)


@example("ding2022.mismatch-order")
def random_potential_game(id):
    """A random game whose actions leave the kernel alone."""
    return (games.action_free(np.random.default_rng(0)),), "random action-free game, 3 states, 2×2 actions, γ=0.9"


@example("ding2022.mpg", "ding2022.cooperative", "ding2022.equivalence", "ding2022.projected")
def random_cooperative_run(id):
    """Recorded ascent on a random cooperative game, at the step size that the claim is about."""
    game = games.common_reward(np.random.default_rng(0), discount=0.5)
    kappa = evaluate.mismatch(game)
    step_size = (1 - game.discount) / (2 * game.agents * 2) if "mpg" not in id else float(1 / (2 * ascent.smoothness(game, kappa)))
    learner = learners.q_ascent
    if "projected" in id:
        learner, step_size = learners.policy_gradient, float(1 / (2 * ascent.smoothness(game, kappa) * game.initial.max()))
    run = learner(game, 50, step_size, checkpoints=range(51), record=True)
    return (run,), "random cooperative game, 3 states, 2×2 actions, γ=0.5, T=50, uniform start"


@example("ding2022.no-state-dependence")
def replicated_run(id):
    """A small cooperative game copied a hundred times, until the gap is 0.02."""
    rng = np.random.default_rng(0)
    base = games.common_reward(rng, discount=0.5)
    game = games.replicated(base, 100, rng)
    run = learners.q_ascent(game, 10_000, 0.5 / 8, checkpoints=range(10_001), tolerance=0.02)
    return (run, 0.02, float(evaluate.free_mismatch(base))), "cooperative game of 3 states, each copied 100 times, γ=0.5, until the gap is 0.02"


@example("ding2022.mpg-agnostic", "ding2022.cooperative-agnostic", "ding2022.sample-complexity")
def sampled_run(id):
    """Q-ascent from rollouts with one-hot features, at the step size that the claim is about and with the theorem's exploration."""
    game = games.common_reward(np.random.default_rng(0), 2, (2, 2), 0.2)
    step_size = sampled.potential_step(game) if "mpg" in id else sampled.cooperative_step(game)
    rng, maps = np.random.default_rng(1), features.one_hot(game)
    samples, solver = (50, "sgd") if "sample" in id else (1000, "least-squares")
    run = learners.sampled_q_ascent(game, 200, step_size, samples, maps, 0.15, 2.5, rng, solver, 3, checkpoints=range(201), record=True)
    words = f"random cooperative game, 2 states, 2×2 actions, γ=0.2, T=200, K={samples}, ξ=0.15"
    return ((run, 0.1) if "sample" in id else (run,)), words


@example("ding2022.game-agnostic-one-state", "ding2022.plain-ascent")
def pennies_run(id):
    """Matching pennies from a start off the equilibrium: the optimistic algorithm in one state, or the plain one in two."""
    start = [[[0.6, 0.4], [0.5, 0.5]], [[0.5, 0.5], [0.4, 0.6]]]
    if "plain" in id:
        run = learners.q_ascent(games.load("matching-pennies"), 1000, 0.1, start, checkpoints=range(1001))
        return (run,), "matching pennies, γ=0.8, plain Q-ascent, α=0.1, T=1000"
    game = games.zero_sum([[[1.0, 0.0], [0.0, 1.0]]], np.ones((1, 2, 2, 1)), 0, 0.8)
    run = learners.optimistic_q_ascent(game, 2000, 0.25, initial=[part[:1] for part in start], checkpoints=range(2001))
    return (run,), "matching pennies in one state, γ=0.8, optimistic Q-ascent, α=1/4, T=2000"
