"""Live figures of the lessons, which need no kernel. Short, because it only imports.

:mod:`live`             controls, lines of text and panels of a figure
:mod:`where_time_goes`  parts of a request's time, by run
"""

from pipeline.charts.teaching.where_time_goes import where_time_goes

__all__ = ["where_time_goes"]
