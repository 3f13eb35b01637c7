"""Data sets that are shipped with the package: real pictures without a download.

Pixel faces, two families of emoji and their pairs, and a tenth of Fashion-MNIST. Sources and
licences stand in data/*.txt and in every set's notice.
"""

import io
import lzma
from collections.abc import Callable, Mapping
from importlib import resources

import numpy as np

from jaxgan.datasets.dataset import DataError, Dataset, from_arrays, parse_split

COLOUR_NAMES = {
  '#009bbd': 'teal', '#28150a': 'black', '#603015': 'brown', '#603a14': 'tan brown',
  '#611c17': 'auburn', '#612616': 'mahogany', '#83623b': 'light brown', '#91cb15': 'green',
  '#a78961': 'dark blond', '#bd1700': 'red', '#cab188': 'blond',
  '#8d5524': 'deep brown', '#a26d3d': 'brown', '#b68655': 'tan', '#cb9e6e': 'caramel',
  '#e0b687': 'beige', '#eac393': 'light beige', '#f5cfa0': 'fair', '#ffdbac': 'pale',
  '#588387': 'teal grey', '#5b7c8b': 'blue grey', '#647b90': 'steel blue', '#697b94': 'slate blue',
  '#76778b': 'grey', '#876658': 'hazel',
  '#00b159': 'emerald', '#03396c': 'navy', '#428bca': 'blue', '#44c585': 'mint green',
  '#5bc0de': 'sky blue', '#88d8b0': 'mint', '#ae0001': 'dark red', '#d11141': 'crimson',
  '#ff6f69': 'coral', '#ffc425': 'amber', '#ffd969': 'yellow', '#ffeead': 'cream',
  '#b6e3f4': 'light blue', '#c0aede': 'lavender', '#d1d4f9': 'periwinkle', '#ffd5dc': 'pink',
  '#ffdfbf': 'peach',
}  # fmt: skip


# Two pairs of hair colours differ by 10 of 255 in one channel, which nobody can see.
SAME_SHADE = {'#603a14': '#603015', '#612616': '#611c17'}


def _read(file: str) -> dict[str, np.ndarray]:
  with (
    resources.files('jaxgan.datasets').joinpath('data', file).open('rb') as f,
    np.load(f, allow_pickle=False) as z,
  ):
    return {k: z[k] for k in z.files}


def _unpack(webp: np.ndarray, side: int, channels: int = 3) -> np.ndarray:
  """Pictures [N, side, side, channels] from one WebP whose row n is picture n, row by row."""
  from PIL import Image

  with Image.open(io.BytesIO(webp.tobytes())) as sheet:
    return np.asarray(sheet.convert('RGB' if channels == 3 else 'L')).reshape(
      -1, side, side, channels
    )


def _pixel_faces(label: str, resolution: int) -> tuple[dict, tuple[str, ...], str]:
  data = _read('pixel_faces.npz')
  names = [k.removeprefix('column_') for k in data if k.startswith('column_')]
  label = label or 'hairShade'
  if label not in (*names, 'hairShade', 'none'):
    known = ', '.join([*names, 'hairShade', 'none'])
    raise DataError(f'pixel_faces has no label {label!r}; there are: {known}')
  images = _unpack(data['webp'], 16)
  times, rest = divmod(resolution or 16, 16)
  if rest or not times:
    raise DataError(
      f'resolution={resolution}: pixel_faces comes in 16 and its multiples, like 32, 64'
    )
  columns = {k: data[f'column_{k}'].astype(np.int32) for k in names}
  if label == 'hairShade':
    shade, visible = _hair_shades(images, columns['hairColor'], data['vocabulary_hairColor'])
    columns = {k: v[visible] for k, v in {**columns, 'hairShade': shade}.items()}
    images = images[visible]
    words = [w for w in data['vocabulary_hairColor'].tolist() if w not in SAME_SHADE]
  else:
    words = data[f'vocabulary_{label}'].tolist() if label != 'none' else []
  labels = columns[label] if label != 'none' else np.zeros(len(images), np.int32)
  if times > 1:
    images = images.repeat(times, axis=1).repeat(times, axis=2)
  classes = tuple(f'{COLOUR_NAMES[w]} {w}' if w in COLOUR_NAMES else w for w in words)
  return (
    {'image': images, 'label': labels, **columns},
    classes,
    'pixel faces drawn with DiceBear pixel-art 9.4.3, design CC0 1.0 (data/pixel_faces.txt)',
  )


def _hair_shades(
  images: np.ndarray, colour: np.ndarray, vocabulary: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """(index among the nine shades that can be told apart, whether any pixel has the hair's colour)."""
  words = vocabulary.tolist()
  shades = [w for w in words if w not in SAME_SHADE]
  index = np.array([shades.index(SAME_SHADE.get(w, w)) for w in words], np.int32)
  exact = np.array([[int(w[i : i + 2], 16) for i in (1, 3, 5)] for w in words], np.uint8)
  visible = (images == exact[colour][:, None, None]).all(-1).any((1, 2))
  return index[colour], visible


def _emoji_pictures(style: str) -> np.ndarray:
  """uint8 [N, 64, 64, 3]; lossy WebP planes of Y, Cb and Cr at full resolution, 40 tiles a row."""
  from PIL import Image

  data = _read('emoji.npz')
  planes = []
  for name in ('y', 'cb', 'cr'):
    with Image.open(io.BytesIO(data[f'{style}_{name}'].tobytes())) as plane:
      planes.append(plane.convert('L'))
  sheet = np.asarray(Image.merge('YCbCr', planes).convert('RGB'))
  tiles = sheet.reshape(sheet.shape[0] // 64, 64, 40, 64, 3).swapaxes(1, 2)
  return tiles.reshape(-1, 64, 64, 3)[: len(data['column_category'])]


def _emoji(name: str, styles: Mapping[str, str], label: str, resolution: int) -> tuple:
  data = _read('emoji.npz')
  label = label or 'category'
  if label not in ('category', 'subcategory', 'none'):
    raise DataError(f'{name} has no label {label!r}; there are: category, subcategory, none')
  if resolution not in (0, 32, 64):
    raise DataError(f'resolution={resolution}: {name} comes in 32 and 64')
  arrays = {}
  for column, style in styles.items():
    images = _emoji_pictures(style)
    if resolution == 32:
      cells = images.reshape(-1, 32, 2, 32, 2, 3).sum((2, 4), dtype=np.uint16)
      images = ((cells + 2) // 4).astype(np.uint8)
    arrays[column] = images
  columns = {k: data[f'column_{k}'].astype(np.int32) for k in ('category', 'subcategory')}
  size = len(columns['category'])
  arrays['label'] = columns[label] if label != 'none' else np.zeros(size, np.int32)
  arrays |= columns
  arrays |= {
    k: np.array(bytes(data[f'text_{k}']).decode().split('\n')) for k in ('code', 'caption')
  }
  classes = tuple(data[f'vocabulary_{label}'].tolist()) if label != 'none' else ()
  return arrays, classes


def _fluent_emoji(label: str, resolution: int) -> tuple:
  found = _emoji('fluent_emoji', {'image': 'fluent'}, label, resolution)
  return *found, 'Microsoft Fluent emoji 3D, MIT; stored with loss (data/emoji.txt)'


def _noto_emoji(label: str, resolution: int) -> tuple:
  found = _emoji('noto_emoji', {'image': 'noto'}, label, resolution)
  return *found, 'Google Noto emoji, Apache-2.0; stored with loss (data/emoji.txt)'


def _emoji_pairs(label: str, resolution: int) -> tuple:
  found = _emoji('emoji_pairs', {'image': 'fluent', 'target': 'noto'}, label, resolution)
  return *found, 'Microsoft Fluent (MIT) and Google Noto emoji (Apache-2.0); stored with loss'


def _fashion_mnist_10k(label: str, resolution: int) -> tuple:
  if label not in ('', 'label', 'none'):
    raise DataError(f'fashion_mnist_10k has no label {label!r}; there are: label, none')
  if resolution not in (0, 28, 32):
    raise DataError(f'resolution={resolution}: fashion_mnist_10k comes in 28, and 32 with a margin')
  data = _read('fashion_mnist_10k.npz')
  raw = lzma.decompress(data['xz'].tobytes())
  images = np.frombuffer(raw, np.uint8).reshape(-1, 28, 28, 1)
  if resolution == 32:
    images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
  labels = data['column_label'].astype(np.int32)
  classes = tuple(data['vocabulary_label'].tolist())
  if label == 'none':
    labels, classes = np.zeros_like(labels), ()
  notice = 'Fashion-MNIST (Zalando SE), MIT: the first 1,000 of each class of the training set'
  return {'image': images, 'label': labels}, classes, notice


SETS: dict[str, Callable] = {
  'pixel_faces': _pixel_faces,
  'fluent_emoji': _fluent_emoji,
  'noto_emoji': _noto_emoji,
  'emoji_pairs': _emoji_pairs,
  'fashion_mnist_10k': _fashion_mnist_10k,
}


def load(
  name: str,
  *,
  split: str = 'train',
  label: str = '',
  resolution: int = 0,
  data_dir: str = '',
  cache_dir: str = '',
  in_memory: bool = True,
  crop: str = 'center',
  channels: int = 0,
) -> Dataset:
  """Loads a set that lies inside the package; `load` of the package says what the options mean.

  Args:
    name: one of
      'pixel_faces': 12,000 portraits of 16x16, or enlarged to a multiple; label = any of their
        twelve attributes, or 'hairShade', the default: the nine hair colours that the eye can tell
        apart (hairColor has eleven), without the 350 faces whose hat hides all hair. All
        attributes are columns of `arrays`.
      'fluent_emoji', 'noto_emoji': 1,601 emoji on white at 32 or 64; label = category or
        subcategory; captions in `arrays`. Row n of both is the same emoji.
      'emoji_pairs': the same as pairs: image = Fluent, target = Noto.
      'fashion_mnist_10k': 10,000 grey pictures of 28x28, or 32x32 with a black margin.
    split: 'train' or a slice of it; there is no other part.
    label: see name; 'none' for no classes.
    resolution: see name.
    data_dir, cache_dir, in_memory, crop: of no effect here.
    channels: 1 turns colour into luma (ITU-R 601), 3 repeats grey.

  Raises:
    DataError: for an unknown name, split, label or resolution.
  """
  del data_dir, cache_dir, in_memory, crop
  if name not in SETS:
    raise DataError(f'no embedded data set {name!r}; there are: {", ".join(SETS)}')
  part, rows = parse_split(split)
  if part != 'train':
    raise DataError(f'split={split!r}: {name} has only train; cut it like train[:90%]')
  arrays, classes, notice = SETS[name](label, resolution)
  chosen = rows(len(arrays['image']))
  arrays = {k: v[chosen] for k, v in arrays.items()}
  for k in ('image', 'target'):
    if k in arrays and channels and arrays[k].shape[-1] != channels:
      arrays[k] = _with_channels(arrays[k], channels)
  return from_arrays(name, arrays, classes, notice)


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
  if channels == 3:
    return images.repeat(3, axis=-1)
  weights = np.array([299, 587, 114], np.uint32)
  return ((images @ weights + 500) // 1000).astype(np.uint8)[..., None]
