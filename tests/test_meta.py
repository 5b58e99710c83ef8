"""Sequences of games: every rule against a computation by hand."""

import functools

import numpy as np
import pytest

from marlpaper import games, learners, meta

ITERATIONS, HORIZON, COUNT, SEEDS = 40, 3, 4, 3
LEARN = functools.partial(learners.optimistic_mirror_descent, iterations=ITERATIONS, step_size=0.2, record=True, checkpoints=[5, 40])
POLICY_RULES = ("best-response-average", "laplace", "output-average", "last-stage-average")


@pytest.fixture
def sequence():
    """K games × seeds, similar to one random game with three actions for one player."""
    rng = np.random.default_rng(5)
    base = games.random_game(rng, HORIZON, states=2, actions=(2, 3))
    return games.perturb(base, (COUNT, SEEDS), 0.1, rng)


def hand_start(rule, runs, player):
    """The next start for one seed, entry by entry in plain loops."""
    responses = [run.stages.best_responses[player] for run in runs]
    result = np.zeros_like(responses[0])
    for index in np.ndindex(result.shape[:-1]):
        count = result.shape[-1]
        for action in range(count):
            total = 0.0
            for response in responses:
                if rule == "best-response-average":
                    total += (1 - 1 / 2) * response[index][action] + (1 / 2) / count  # alpha = 1/sqrt(4)
                else:
                    total += response[index][action]
            mean = rule == "best-response-average"
            result[(*index, action)] = total / len(runs) if mean else (total + 1) / (len(runs) + count)
    return result


@pytest.mark.parametrize("rule", ["best-response-average", "laplace"])
def test_starts_by_hand(sequence, rule):
    result = meta.learn_sequence(sequence[:, 0], LEARN, rule)
    for k in range(1, COUNT):
        for player in (0, 1):
            np.testing.assert_allclose(result.runs[k].stages.starts[player], hand_start(rule, result.runs[:k], player), atol=1e-14)


def test_first_game_starts_uniform(sequence):
    for rule in meta.RULES:
        run = meta.learn_sequence(sequence, LEARN, rule).runs[0]
        assert all((start == 1 / start.shape[-1]).all() for start in run.stages.starts)
        assert not run.stages.q[..., 0, :, :, :, :].any()


def test_output_average(sequence):
    result = meta.learn_sequence(sequence[:, 0], LEARN, "output-average")
    start = (result.runs[0].average_policy[1] + result.runs[1].average_policy[1]) / 2
    np.testing.assert_allclose(result.runs[2].stages.starts[1][4], start, atol=1e-14)


def test_last_stage_average_skips_the_cut_stage(sequence):
    result = meta.learn_sequence(sequence[:, 0], functools.partial(LEARN, restart=False), "last-stage-average")
    lengths = result.runs[0].stages.lengths
    assert lengths[-1] < lengths[-2]  # the last stage of this schedule is cut
    start = (result.runs[0].stages.averages[0][-2] + result.runs[1].stages.averages[0][-2]) / 2
    np.testing.assert_allclose(result.runs[2].stages.starts[0][0], start, atol=1e-14)


@pytest.mark.parametrize(
    ("iterations", "expected"),
    [(1, 0), (3, 0), (5, 0), (7, 1), (12, 2), (13, 2), (17, 2), (18, 3)],  # H = 3: lengths 3, 4, 5, 6, 8
)
def test_last_full_stage(iterations, expected):
    assert meta.last_full_stage(learners.stage_lengths(iterations, 3), 3) == expected


def test_critic_warm_start(sequence):
    result = meta.learn_sequence(sequence, LEARN, ("laplace", "critic-warm-start"))
    assert result.rules == ("laplace", "critic-warm-start")
    for before, after in zip(result.runs, result.runs[1:], strict=False):
        np.testing.assert_array_equal(after.stages.q[..., 0, :, :, :, :], before.stages.q[..., -1, :, :, :, :])


def test_individual_is_one_batched_run(sequence):
    result = meta.learn_sequence(sequence, LEARN, "individual")
    np.testing.assert_allclose(result.gaps, LEARN(sequence).gaps, atol=1e-12)
    assert result.gaps.shape == (COUNT, SEEDS, 2)


@pytest.mark.parametrize("rule", [*POLICY_RULES, ("laplace", "critic-warm-start")])
def test_batched_over_seeds_equals_single(sequence, rule):
    together = meta.learn_sequence(sequence, LEARN, rule)
    for seed in range(SEEDS):
        alone = meta.learn_sequence(sequence[:, seed], LEARN, rule)
        np.testing.assert_allclose(together.gaps[:, seed], alone.gaps, atol=1e-11)
        np.testing.assert_allclose(together.values[:, seed], alone.values, atol=1e-11)


def test_without_restart_equation_5_changes_nothing(sequence):
    """Stage 1 ties, so its best response is the start itself, and later stages never look at their starts."""
    carry_on = functools.partial(LEARN, restart=False)
    np.testing.assert_allclose(
        meta.learn_sequence(sequence, carry_on, "best-response-average").gaps, meta.learn_sequence(sequence, carry_on).gaps, atol=1e-12
    )


def test_a_function_is_a_rule(sequence):
    def last_policy(runs, count):
        return {"initial": runs[-1].policy}

    result = meta.learn_sequence(sequence, LEARN, last_policy)
    assert result.rules == ("last_policy",)
    np.testing.assert_allclose(result.runs[1].stages.starts[0][..., 0, :, :, :], result.runs[0].policy[0], atol=1e-12)


@pytest.mark.parametrize("rule", ["best-response-average", "laplace", "last-stage-average"])
def test_rules_that_need_stages_say_so(sequence, rule):
    with pytest.raises(ValueError, match=r"the run of game 0 has no stages.*record=True"):
        meta.learn_sequence(sequence, functools.partial(LEARN, record=False), rule)


def test_bad_input(sequence):
    with pytest.raises(ValueError, match="rule is 'eq5', expected one of 'individual'"):
        meta.learn_sequence(sequence, LEARN, "eq5")
    with pytest.raises(ValueError, match="expected a leading batch axis"):
        meta.learn_sequence(sequence[0, 0], LEARN, "laplace")
    with pytest.raises(ValueError, match="rule sets 'initial' twice"):
        meta.learn_sequence(sequence, LEARN, ("laplace", "best-response-average"))
