"""From the bytes of a picture file to uint8 pixels of the size and channels asked for."""

import collections
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from jaxgan.datasets.dataset import DataError


def decode(file: bytes | str | Path) -> Image.Image:
  """Opens a picture upright, as 8-bit grey ('L') or colour ('RGB').

  EXIF orientation is applied, 16-bit grey is scaled to 8, and so are numbers with a point of which
  none is above 1; palettes are looked up, and transparency is laid on white.

  Args:
    file: the bytes of a picture file, or its path.

  Raises:
    DataError: what is wrong with a file that cannot be read to its end; it does not name the file.
  """
  try:
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as picture:
      picture.load()
      return _eight_bit(ImageOps.exif_transpose(picture))
  except UnidentifiedImageError:
    raise DataError('not a picture') from None
  except Exception as e:  # Pillow's readers raise whatever a broken file makes them stumble over
    reason = ' '.join(str(e).split())[:120]
    raise DataError(reason or type(e).__name__) from None


def _eight_bit(picture: Image.Image) -> Image.Image:
  if picture.mode.startswith('I'):  # I;16 and its kin, or I: 16-bit grey in 32 bits
    values = np.asarray(picture).astype(np.int64).clip(0, 65535)
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
  if picture.mode == 'F':
    values = np.asarray(picture)
    values = values * 255 if values.max() <= 1 else values
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
  if picture.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in picture.info:
    grey = picture.mode in ('LA', 'La') or picture.mode in ('1', 'L')
    clear = picture.convert('RGBA')
    white = Image.new('RGBA', clear.size, 'white')
    return Image.alpha_composite(white, clear).convert('L' if grey else 'RGB')
  return picture.convert('L' if picture.mode in ('1', 'L') else 'RGB')


def fit(picture: Image.Image, resolution: int, crop: str = 'center') -> Image.Image:
  """Makes a picture square.

  Args:
    picture: mode 'L' or 'RGB'.
    resolution: side of the result; 0 leaves the picture as it is.
    crop: 'center' scales the shorter side and cuts the middle, 'pad' scales the longer side and
      fills up with white, 'none' stretches.

  Returns:
    The square picture, scaled down with a Lanczos filter over all source pixels (no aliasing)
    and up with a bicubic one.
  """
  if not resolution or picture.size == (resolution, resolution):
    return picture
  width, height = picture.size
  box = None
  size = (resolution, resolution)
  if crop == 'center':
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
  elif crop == 'pad':
    scale = resolution / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
  smaller = min(width, height) > resolution or max(width, height) > 2 * resolution
  kernel = Image.Resampling.LANCZOS if smaller else Image.Resampling.BICUBIC
  scaled = picture.resize(size, kernel, box=box)
  if scaled.size == (resolution, resolution):
    return scaled
  square = Image.new(picture.mode, (resolution, resolution), 'white')
  square.paste(scaled, ((resolution - size[0]) // 2, (resolution - size[1]) // 2))
  return square


def margin(picture: Image.Image, resolution: int) -> Image.Image:
  """The picture unscaled in the middle of a black square, as is the custom for 28x28 digits."""
  square = Image.new(picture.mode, (resolution, resolution))
  width, height = picture.size
  square.paste(picture, ((resolution - width) // 2, (resolution - height) // 2))
  return square


def scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """uint8 [N, H, W, C] at another size (height, width), by a bicubic filter over all source pixels."""
  if images.shape[1:3] == tuple(size):
    return images
  channels = images.shape[-1]
  flat = images[..., 0] if channels == 1 else images
  resize = lambda x: Image.fromarray(x).resize(size[::-1], Image.Resampling.BICUBIC)
  return np.stack([pixels(resize(x), channels) for x in flat])


def pixels(picture: Image.Image, channels: int = 0) -> np.ndarray:
  """uint8 [H, W, C]; channels 1 = grey, 3 = RGB, 0 = as the picture is."""
  if channels:
    picture = picture.convert('L' if channels == 1 else 'RGB')
  array = np.asarray(picture, np.uint8)
  return array[..., None] if array.ndim == 2 else array


def unreadable(entries: Sequence[tuple[str, Callable[[], Any]]]) -> list[tuple[str, str]]:
  """(name, reason) of the entries (name, function that opens it) that cannot be opened, by name."""
  from tqdm import tqdm

  bad: list[tuple[str, str]] = []
  lock = threading.Lock()

  def one(entry: tuple[str, Callable[[], Any]]) -> None:
    try:
      entry[1]()
    except DataError as e:
      with lock:
        bad.append((entry[0], str(e)))

  with ThreadPoolExecutor() as pool:
    jobs = pool.map(one, entries)
    collections.deque(tqdm(jobs, 'checking', len(entries), leave=False, delay=2), 0)
  return sorted(bad)
