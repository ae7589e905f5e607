"""Static scaling: rates that multiply the demands so that every partial result is a probability near its mode."""

from __future__ import annotations

import numpy as np

from pipeline.network.arrays import Array
from pipeline.network.convolution.problem import ConvolutionProblem

MAX_NEWTON_STEPS = 80


def scaling_rates(problem: ConvolutionProblem) -> Array:
    """Rates x, (C,), at which an open network holds about N customers: minimum of a convex function of log x.

    Σ_k log φ_k(Σ_c D_kc e^y_c) + Σ_c (Z_c e^y_c − N_c y_c), by Newton's method with halved steps. Any x gives the
    same solution; a good one keeps the numbers in range.
    """
    singles = [k for k, f in problem.factors.items() if f.is_single_server]
    others = [k for k, f in problem.factors.items() if not f.is_single_server]
    beta = np.array([problem.factors[k].capacity for k in singles])
    min_capacity = min((f.capacity for f in problem.factors.values()), default=1.0)
    customers = float(problem.populations.sum())
    n = np.arange(customers + 1)
    target = problem.populations.astype(float)
    max_cycle = problem.think + problem.demands[list(problem.factors)].sum(axis=0) * (
        1 + customers
    ) / min(min_capacity, 1)
    y = np.log(0.5 * target / max_cycle)

    def objective(y: Array, with_derivatives: bool) -> tuple[float, Array, Array]:
        x = np.exp(y)
        load = problem.demands * x
        value = float(problem.think @ x - target @ y)
        gradient = problem.think * x - target
        hessian = np.diag(problem.think * x)
        rho = load[singles].sum(axis=1) / beta
        if np.any(rho >= 1):
            return np.inf, gradient, hessian
        value -= float(np.log1p(-rho).sum())
        if with_derivatives and singles:
            mean = rho / (1 - rho)
            share = load[singles] / np.maximum(load[singles].sum(axis=1, keepdims=True), 1e-300)
            gradient += mean @ share
            hessian += (share * (mean * mean)[:, None]).T @ share + np.diag(mean @ share)
        for k in others:
            a = load[k].sum()
            if a == 0:
                continue
            logs = problem.factors[k].log_b + n * np.log(a)
            top = logs.max()
            weight = np.exp(logs - top)
            total = weight.sum()
            value += float(top + np.log(total))
            if with_derivatives:
                mean = weight @ n / total
                variance = weight @ ((n - mean) ** 2) / total
                share = load[k] / a
                gradient += mean * share
                hessian += (variance - mean) * np.outer(share, share) + np.diag(mean * share)
        return value, gradient, hessian

    value, gradient, hessian = objective(y, True)
    for _ in range(MAX_NEWTON_STEPS):
        ridge = 1e-12 * np.trace(hessian) + 1e-300
        step = np.linalg.solve(hessian + ridge * np.eye(len(y)), -gradient)
        step *= min(1.0, 4 / np.abs(step).max(initial=1e-300))
        size = 1.0
        while size > 1e-10:
            trial, *_ = objective(y + size * step, False)
            if trial <= value + 1e-4 * size * float(gradient @ step):
                break
            size /= 2
        else:
            break
        y = y + size * step
        value, gradient, hessian = objective(y, True)
        if np.abs(gradient).max() <= 0.05 * np.sqrt(target.min()):
            break
    return np.exp(y)
