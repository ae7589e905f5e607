"""Accuracy of the model: predictions against measurements.

:mod:`replication`          geometric mean over replications of a load, with its interval
:mod:`single_run`           the model of one run against its own client
:mod:`holdout`              predictions of loads that no fit used
:mod:`acceptance`           relative errors, and the outcome of each held-out load
:mod:`error_decomposition`  causes of a prediction's error, in milliseconds
:mod:`parametric_bootstrap` expected outcomes if the model were correct
:mod:`transfer`             predictions across servers, and of co-located runs
:mod:`server_ratio`         ratios of two servers
:mod:`influence`            designed experiments: factors, and what each run measured
:mod:`influence_effects`    effects of the factors, their verdicts, and the noise
:mod:`influence_model`      the same effects on the host model's predictions
:mod:`learned`              regression, neural net and Gaussian process, by scikit-learn
:mod:`learned_comparison`   their predictions and those of the queueing model, from the same runs
:mod:`learning_curves`      errors by the number of training runs
:mod:`learned_scores`       which predictor has the lowest error
:mod:`published`            the paper's published numbers
:mod:`published_studies`    measurements and models of other authors
:mod:`missing_station`      whether a closed model lacks a station, from X(N)
:mod:`demand_and_rate`      whether service demands depend on the load
:mod:`texts`                outcomes, notes and reasons for a missing value

Short, because each module is imported by its own name.
"""
