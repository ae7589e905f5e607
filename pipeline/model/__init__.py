"""The queueing model of a host with its virtual servers.

:mod:`observation` one virtual server under load in one run: load, demands, client's measurements
:mod:`host`        the queueing model of one virtual server on its host
:mod:`colocation`  shares of the host's CPU, and interference between virtual servers
:mod:`fit`         the model fitted to runs
:mod:`prediction`  predicted X and R with prediction intervals
:mod:`scenario`    predictions for other loads, hardware and neighbours
:mod:`baselines`   the predictors that the model is compared with
:mod:`texts`       reasons for a missing observation or model

Short, because each module is imported by its own name.
"""
