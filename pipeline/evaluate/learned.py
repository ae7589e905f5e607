"""Learned predictors: regression of R and X on what is known before a run, by scikit-learn (extra ``learn``).

They see no log of the host: only the load, the server's resources, and what the client measured in the training runs.
One predictor is fitted per virtual server, as Kundu et al. (HPCA 2010) fit one per application, to the logarithm of the
response, because relative errors are scored. The settings are fixed: none was chosen by its errors.

scikit-learn is imported by the functions that need it, so that everything else works without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import Error
from pipeline.evaluate import texts
from pipeline.evaluate.transfer import mean_disk_service_ms
from pipeline.measure.cpu_limit import server_resources
from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.raw import Study

Array = NDArray[np.float64]

LINEAR_REGRESSION, QUADRATIC, NEURAL_NET, GAUSSIAN_PROCESS = LEARNED = (
    "linear regression",
    "quadratic regression",
    "neural net",
    "Gaussian process",
)
"""Names of the learned predictors."""

HIDDEN_UNITS = 8
WEIGHT_DECAY = 0.01
MAX_ITERATIONS = 200
MAX_LOG = 50.0
"""Bound of a predicted logarithm: an extrapolated square can exceed every number."""


class MissingLibraryError(Error):
    """scikit-learn is not installed."""


def require_scikit_learn() -> str:
    """The version of scikit-learn. Raises ``MissingLibraryError``, which says how to install it."""
    try:
        import sklearn
    except ImportError:
        raise MissingLibraryError(texts.NO_SCIKIT_LEARN) from None
    return sklearn.__version__


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit the linear algebra of fits to one thread: sums of several threads differ in their last digits."""
    from threadpoolctl import threadpool_limits  # a dependency of scikit-learn

    with threadpool_limits(1):
        yield


# -- features ------------------------------------------------------------------------------------------------


def features(
    load: Load, study: Study, server: str, virtual_server: str, cpus: float
) -> dict[str, float]:
    """What is known of a run before it: its load and the resources of its server.

    Nothing that is measured in the run is used. Quantities that study.json does not state are left out.

    Parameters
    ----------
    load
        The load as the run's plan states it.
    study
        Its study.json states the resources of the servers.
    server, virtual_server
        Names.
    cpus
        CPUs that the guests of the server may use together.

    Returns
    -------
    dict
        Names of ``texts.FEATURES`` → value; rates, sizes and times as natural logarithms.

    Examples
    --------
    >>> from pipeline.files import ROOT
    >>> from pipeline.raw import find_study
    >>> study = find_study(ROOT / "data/raw", "kvm-case-study")
    >>> values = features(Load("closed", population=8), study, "second", "db", 0.5)
    >>> {name: round(float(value), 3) for name, value in values.items()}
    {'load_per_cpu': 2.773, 'think_time_s': 0.0, 'cpus': -0.693, 'memory_bytes': 19.631, 'disk_service_ms': 1.161}
    """
    values = {"load_per_cpu": np.log(load.level / cpus)}
    if load.kind == "open":
        values["is_poisson"] = float(load.arrivals == "poisson")
    else:
        values["think_time_s"] = load.think_time_s
    values["cpus"] = np.log(cpus)
    memory = server_resources(study, server).get("memory_bytes")
    if isinstance(memory, Mapping) and isinstance(memory.get(virtual_server), int):
        values["memory_bytes"] = np.log(memory[virtual_server])
    with suppress(MissingData):
        values["disk_service_ms"] = np.log(mean_disk_service_ms(study, server))
    return values


def informative(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Features that every row has, that vary, and that are no linear function of one before them.

    With two servers all of their resources are one feature; with one server they are none.
    """
    names: list[str] = []
    columns: list[Array] = []
    for name in rows[0]:
        if not all(name in row for row in rows):
            continue
        column = np.array([row[name] for row in rows])
        deviation = column - column.mean()
        norm = float(np.linalg.norm(deviation))
        if norm <= 1e-9 * max(1.0, float(np.abs(column).max())):
            continue
        unit = deviation / norm
        if any(abs(float(unit @ other)) > 1 - 1e-9 for other in columns):
            continue
        names.append(name)
        columns.append(unit)
    return names


# -- fits ----------------------------------------------------------------------------------------------------

FittedRegression = Callable[[Sequence[Mapping[str, float]]], Array]
"""Predicts the response of rows of features, shape (rows,)."""


def fit_learned(
    name: str, rows: Sequence[Mapping[str, float]], response: Sequence[float], seed: int = 0
) -> FittedRegression:
    """Fit a learned predictor.

    Parameters
    ----------
    name
        One of ``LEARNED``.
    rows
        Features of the training runs.
    response
        Their measured response, positive.
    seed
        Of the start of a neural net; the others have none.

    Returns
    -------
    callable
        Features of runs → predicted response, shape (runs,). The geometric mean of the training runs where no feature
        varies in training.

    Raises
    ------
    MissingLibraryError
        scikit-learn is not installed.

    Examples
    --------
    >>> rows = [{"load_per_cpu": float(np.log(n))} for n in (1, 2, 4, 8)]
    >>> predict = fit_learned("linear regression", rows, [3.0, 6.0, 12.0, 24.0])
    >>> round(float(predict([{"load_per_cpu": float(np.log(16))}])[0]), 6)
    48.0
    """
    require_scikit_learn()
    from sklearn.exceptions import ConvergenceWarning

    logs = np.log(np.asarray(response, float))
    names = informative(rows)
    mean, sd = float(logs.mean()), float(logs.std())
    if not names or sd <= 0:
        return lambda others: np.full(len(others), np.exp(mean))
    with warnings.catch_warnings():  # a fit that ends at its limits is one of those that are scored
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = _regression(name, len(names), seed).fit(_matrix(rows, names), (logs - mean) / sd)

    def predict(others: Sequence[Mapping[str, float]]) -> Array:
        predicted = mean + sd * fitted.predict(_matrix(others, names))
        return np.exp(np.clip(predicted, -MAX_LOG, MAX_LOG))

    return predict


def _matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Array:
    return np.array([[row[name] for name in names] for row in rows])


def _regression(name: str, features: int, seed: int) -> Any:
    """The regression of a name, on standardized features; the response is standardized."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    if name == LINEAR_REGRESSION:
        from sklearn.linear_model import LinearRegression

        return make_pipeline(StandardScaler(), LinearRegression())
    if name == QUADRATIC:
        from sklearn.linear_model import RidgeCV

        # the penalty by leave-one-out cross-validation of the training runs: few runs do not determine every square
        return make_pipeline(
            StandardScaler(),
            PolynomialFeatures(2, include_bias=False),
            StandardScaler(),
            RidgeCV(np.logspace(-4, 2, 13)),
        )
    if name == NEURAL_NET:
        from sklearn.neural_network import MLPRegressor

        network = MLPRegressor(
            hidden_layer_sizes=(HIDDEN_UNITS,),
            activation="tanh",
            solver="lbfgs",
            alpha=WEIGHT_DECAY,
            max_iter=MAX_ITERATIONS,
            random_state=seed,
        )
        return make_pipeline(StandardScaler(), network)
    if name == GAUSSIAN_PROCESS:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        kernel = ConstantKernel(1.0) * RBF(np.ones(features), (0.1, 100.0))
        kernel += WhiteKernel(0.1, (1e-6, 10.0))
        return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel))
    raise ValueError(f"{name!r} is none of {', '.join(LEARNED)}")
