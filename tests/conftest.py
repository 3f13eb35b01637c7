"""Settings of every test: two CPU devices, quick compilation, exact matrix products, compiled programs kept."""

import os
import tempfile

# before jax is imported; unoptimised programs compile in half the time and run fast enough here
os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} --xla_backend_optimization_level=0'
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR', os.path.join(tempfile.gettempdir(), f'jaxgan-tests-{os.getuid()}')
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')

import jax

jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_default_matmul_precision', 'highest')
