"""The games in PyTorch: one train step each, as PyTorch users write it. Every twin names its own as `play`."""

import random

import torch
import torch.nn.functional as F

LOSSES = {
  'hinge': (
    lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
    lambda fake: -fake.mean(),
  ),
  'non_saturating': (
    lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
    lambda fake: F.softplus(-fake).mean(),
  ),
  'least_squares': (
    lambda real, fake: 0.5 * ((real - 1).square().mean() + fake.square().mean()),
    lambda fake: 0.5 * (fake - 1).square().mean(),
  ),
}


def both(network, real, fake, *labels):
  """Logits (of the real, of the fake), in one batch where the discriminator has no batch statistics.

  Args:
    network: the discriminator, which says by `separate` whether it has.
    real, fake: pictures.
    *labels: those of the real and those of the fake, where there are any.
  """
  of = lambda i: labels[i : i + 1]
  if network.separate:
    return network(real, *of(0)).float(), network(fake, *of(1)).float()
  together = [torch.cat(labels[::-1])] if labels else []
  fake_logits, real_logits = network(torch.cat([fake, real]), *together).float().chunk(2)
  return real_logits, fake_logits


def adversarial(side):
  """Noise to pictures: critic steps, then the generator against the critic that they made."""
  generator, discriminator = side.run['generator'], side.run['discriminator']
  loss_d, loss_g = side.losses
  images, labels = side.pictures('image'), side.batch['label'].long()
  side.freeze(False)
  for x, y in zip(images.split(side.size), labels.split(side.size)):
    z, fake_y = side.draw(side.size)
    with torch.no_grad(), side.cast():
      fake = generator(z, fake_y)
    with side.cast():
      real_logits, fake_logits = both(discriminator, x, fake, y, fake_y)
    side.update('discriminator', loss_d(real_logits, fake_logits))
  side.freeze(True)
  z, y = side.draw(side.size)
  with side.cast():
    logits = discriminator(generator(z, y), y)
  side.update('generator', loss_g(logits.float()))


def paired(side):
  """pix2pix: the discriminator sees the input beside the picture; L1 to the target."""
  generator, discriminator = side.run['generator'], side.run['discriminator']
  loss_d, loss_g = side.losses
  x, y = side.pictures('image'), side.pictures('target')
  side.freeze(False)
  with side.cast():
    shown, fake = generator(x, 2)
    logits = both(discriminator, torch.cat([x, y], 1), torch.cat([x, shown], 1))
  side.update('discriminator', loss_d(*logits))
  side.freeze(True)
  with side.cast():
    logits = discriminator(torch.cat([x, fake], 1))
  loss = side.game.get('adversarial', 1.0) * loss_g(logits.float())
  side.update('generator', loss + side.game['l1'] * F.l1_loss(fake.float(), y))


def cycle(side):
  """CycleGAN: generators first, then the discriminators on the same fakes, through the pools."""
  generators, discriminators = side.run['generator'], side.run['discriminator']
  loss_d, loss_g = side.losses
  a, b = side.pictures('image'), side.pictures('target')
  ways = (('AtoB', 'BtoA', 'B', a, b), ('BtoA', 'AtoB', 'A', b, a))
  weight = {'adversarial': 2.0, 'cycle': 10.0, 'identity': 0.5, **side.game}
  side.freeze(True)
  total, fakes = 0.0, {}
  for there, back, judge, x, y in ways:
    with side.cast():
      fake = generators[there](x)
      logits = discriminators[judge](fake)
      again, same = generators[back](fake), generators[there](y)
    fakes[judge] = fake.detach()
    near = F.l1_loss(again.float(), x) + weight['identity'] * F.l1_loss(same.float(), y)
    total = total + weight['adversarial'] * loss_g(logits.float()) + weight['cycle'] * near
  side.update('generator', total)
  side.freeze(False)
  total = 0.0
  for _, _, judge, _, y in ways:
    shown = pooled(side.pools.setdefault(judge, []), fakes[judge], weight['pool'])
    with side.cast():
      logits = both(discriminators[judge], y, shown)
    total = total + loss_d(*logits)
  side.update('discriminator', total)


def pooled(pool, fakes, size):
  """What is shown of new fakes: each one, or with probability 1/2 an older one whose place it takes."""
  shown = []
  for fake in fakes.split(1):
    if len(pool) < size:
      pool.append(fake)
    elif random.random() > 0.5:
      at = random.randrange(size)
      pool[at], fake = fake, pool[at]
    shown.append(fake)
  return torch.cat(shown)
