"""Designed experiments with two levels per factor: 2^k r and 2^(k−p) designs and their analysis.

Jain, *The Art of Computer Systems Performance Analysis* (1991), chapters 17 to 19; Montgomery, *Design and Analysis of
Experiments*. Pure statistics on frames: nothing here knows runs or studies.

:mod:`levels`       the low and the high level of a factor
:mod:`terms`        main effects and interactions that the rows separate, aliases
:mod:`fit`          least squares and intervals
:mod:`effects`      the table of effects, allocation of variation
:mod:`scale`        additive or multiplicative
:mod:`plot_data`    half-normal plot, means of an interaction
:mod:`document`     the effects as JSON
:mod:`design`       lists of runs
:mod:`observations` columns of a CSV file as factors and responses

Short, because it only imports.
"""

from pipeline.factors.effects import Effects, effects
from pipeline.factors.levels import FactorError

__all__ = ["Effects", "FactorError", "effects"]
