"""Health: measurements that are known by construction, and verdicts on planted histories."""

import numpy as np
import pytest

from jaxgan import health


def images(rng, n=64, modes=8, noise=0.05, side=4):
  centres = np.random.default_rng(9).uniform(-1, 1, (modes, side, side, 1))
  return (
    centres[rng.integers(0, modes, n)] + noise * rng.standard_normal((n, side, side, 1))
  ).astype(np.float32)


def test_separation_is_the_share_of_pairs_in_order():
  assert health.separation([1, 2], [0, 0.5]) == 1
  assert health.separation([0, 0], [0, 0]) == 0.5
  assert health.separation([1, 3], [2]) == 0.5
  rng = np.random.default_rng(0)
  real, fake = rng.standard_normal(50) + 1, rng.standard_normal(40)
  np.testing.assert_allclose(
    health.separation(real, fake), np.mean(real[:, None] > fake), rtol=1e-12
  )
  np.testing.assert_allclose(
    health.separation(7 * real - 3, 7 * fake - 3), np.mean(real[:, None] > fake)
  )


def test_overfitting_is_how_far_held_out_pictures_are_from_train_to_fake():
  assert health.overfitting([2, 2], [2, 2], [-2]) == 0
  assert health.overfitting([2, 2], [-2, -2], [-2]) == 1
  assert health.overfitting([2, 2], [0, 1], [-2]) == 1.5 / 4
  assert health.overfitting([0], [-1], [0]) == 0  # no gap, nothing to say


def test_diversity_of_the_data_themselves_of_one_picture_and_of_one_mode():
  rng = np.random.default_rng(0)
  real = images(rng)
  of_real = health.reference(real)
  distance, twins = health.diversity(images(rng), of_real)
  assert 0.9 < distance < 1.1 and twins < 0.2
  smooth = health.diversity(images(rng, noise=0.02), of_real)  # less detail is no twin
  assert smooth[1] < 0.2
  distance, twins = health.diversity(np.repeat(real[:1], 64, 0), of_real)
  assert distance < 1e-6 and twins == 1
  distance, _ = health.diversity(images(rng, modes=1), of_real)
  assert distance < 0.2


def test_pictures_are_compared_small():
  big = np.repeat(
    np.repeat(np.arange(2.0).reshape(2, 1, 1, 1) * np.ones((2, 16, 16, 3)), 4, 1), 4, 2
  )
  assert health.small(big).shape == (2, 16 * 16 * 3)
  np.testing.assert_array_equal(health.small(big)[1], 1)
  assert health.small(np.zeros((3, 28, 28, 1))).shape == (3, 784)


def test_movement_and_turn():
  rng = np.random.default_rng(0)
  real = images(rng, 256)
  of_real = health.reference(real)
  assert health.movement(real, real, of_real) == 0
  assert 0.8 < health.movement(images(rng, 256), real, of_real) < 1.2
  a, b = np.array([0.0, 0]), np.array([1.0, 0])
  assert health.turn([a, b, 2 * b]) == 1
  assert health.turn([a, b, a]) == -1
  assert health.turn([a, a, b]) == 0


WELL = {
  'finite': 1.0, 'logit': 2.0, 'separation': 0.9, 'diversity': 0.95, 'duplicates': 0.06,
  'movement': 0.2, 'generator_turn': 0.1, 'overfitting': 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
  'state, change, says',
  [
    ('healthy', {}, '90% told apart'),
    ('healthy', {'separation': 0.98, 'diversity': 0.5, 'overfitting': 0.2}, 'distance 50%'),
    ('discriminator too strong', {'separation': 1.0}, 'tells 100.0% of real and fake apart'),
    ('generator collapsed', {'diversity': 0.1}, 'distance between samples 10%'),
    ('generator collapsed', {'duplicates': 0.9}, '90% have a twin'),
    ('generator collapsed', {'modes': 3.0, 'modes_known': 8.0}, '3 of 8 modes'),
    ('discriminator too strong', {'diversity': 0.1, 'separation': 1.0}, 'tells 100.0%'),
    ('generator collapsed', {'diversity': 0.1, 'movement': 1.5}, 'distance between samples'),
    ('discriminator overfitting', {'overfitting': 0.8}, '80% of the way'),
    ('oscillating', {'movement': 0.9, 'generator_turn': -0.5}, 'move by 90%.*-0.50'),
    ('oscillating', {'movement': 1.5, 'generator_turn': -0.5, 'diversity': 0.1}, 'real ones'),
    ('diverged', {'logit': 1e6}, 'mean |logit| 1e+06'),
    ('diverged', {'finite': 0.0}, 'not finite'),
    ('diverged', {'diversity': 2.05}, 'distance between samples 205%'),
  ],
)  # fmt: skip
def test_a_planted_history_gets_its_name(state, change, says):
  import re

  found = health.verdict([WELL, *[{**WELL, **change}] * health.LOOKS])
  assert found.state == state in health.STATES
  assert re.search(says.replace('|', r'\|').replace('+', r'\+'), found.evidence)
  assert bool(found.advice) == (state != 'healthy')


def test_one_look_decides_nothing():
  bad = {**WELL, 'separation': 1.0, 'diversity': 0.1, 'overfitting': 1.0, 'movement': 2.0}
  assert health.verdict([WELL, WELL, bad]).state == 'healthy'
  assert health.verdict([bad, bad, WELL]).state == 'healthy'
  assert health.verdict([bad, bad]).state == 'too early to say'
  early = {**bad, 'progress': 0.05}
  assert health.verdict([early] * 3).state == 'too early to say'
  assert health.verdict([early] * health.MANY).state != 'too early to say'


def test_an_oscillation_may_stand_still_for_a_look_and_must_come_back():
  far, still = ({**WELL, 'movement': m, 'generator_turn': -0.3} for m in (1.4, 0.1))
  assert health.verdict([far, far, still, far, far]).state == 'oscillating'
  assert health.verdict([still, still, far, far, still]).state == 'healthy'
  assert health.verdict([{**far, 'generator_turn': 0.3}] * 5).state == 'healthy'
  unknown = {k: v for k, v in WELL.items() if k not in ('movement', 'generator_turn')}
  assert health.verdict([unknown] * 5).state == 'healthy'


def test_a_look_back_at_a_file(tmp_path):
  assert health.read(tmp_path / 'health.json') == []
  (tmp_path / 'health.json').write_text('[{"sta')
  assert health.read(tmp_path / 'health.json') == []


@pytest.mark.parametrize('text', ['5', 'null', '{"step": 3}', '[1]', '[{}]', '"words"', '[' * 9999])
def test_a_file_that_holds_something_else_holds_no_look(text, tmp_path):
  (tmp_path / 'health.json').write_text(text)
  assert health.read(tmp_path / 'health.json') == []


@pytest.mark.parametrize(
  'change', [{'evidence': None}, {'step': '3'}, {'state': 5}, {'diversity': 'x'}]
)
def test_a_damaged_look_is_left_out(change, tmp_path):
  whole = {'step': 2, **WELL, **health.Verdict('healthy', 'seen')._asdict()}
  health.write(tmp_path / 'health.json', [whole, {**whole, **change}])
  assert health.read(tmp_path / 'health.json') == [whole]
  assert health.tally([tmp_path / 'health.json', tmp_path / 'none.json']) == 'healthy 1'


def test_looks_that_miss_a_number_agree_on_nothing():
  for name, bad in (('separation', 1.0), ('diversity', 0.1), ('diversity', 2.0)):
    sick = {**WELL, name: bad}
    for middle in ({**WELL, name: float('nan')}, {k: v for k, v in WELL.items() if k != name}):
      assert health.verdict([sick, middle, sick]).state == 'healthy'
    assert health.verdict([sick] * 3).state != 'healthy'
