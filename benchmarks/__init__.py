"""How fast it is, beside what it replaces: `python -m benchmarks` runs every topic, `python -m benchmarks evaluation` one."""

import os

# NumPy reads these when it is first imported, so they come before any other import: all timings are on one thread.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"  # the same for JAX
os.environ["JAX_PLATFORMS"] = "cpu"

TOPICS = (
    "mirror_descent",
    "correlated",
    "equilibrium",
    "evaluation",
    "meta_gradient",
    "memory",
    "scaling",
    "limits",
    "potential",
    "states",
    "anonymous",
    "product",
    "simulate",
    "game_agnostic",
    "falsify",
    "river",
    "sweep",
)
