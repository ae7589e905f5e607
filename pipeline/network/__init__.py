"""Queueing network solver: open, closed and mixed networks, exact where possible, else approximate or refused.

:mod:`model` defines a network, :mod:`files` and :mod:`jmva` read and write it, :mod:`solve` solves it by a method and
:mod:`dispatch` assembles an analytic solution (:mod:`result`). The methods take arrays and can be used alone:
:mod:`open`, :mod:`closed`, :mod:`convolution`, :mod:`mixed`, :mod:`approximate`, :mod:`bounds`, :mod:`nonproduct` and
:mod:`gg1`; :mod:`simulation` is a discrete-event simulation (nodes in :mod:`ciw_nodes`). :mod:`texts` has the warnings.
Short, because each module is imported by its own name.
"""
