"""Queueing networks: open, closed and mixed, solved exactly where that can be done, or refused.

:mod:`model` says what a network is, :mod:`files` and :mod:`jmva` read and write it, :mod:`solve` chooses the
method, :mod:`dispatch` puts an answer together. The methods stand alone and take arrays: :mod:`open`,
:mod:`closed`, :mod:`convolution`, :mod:`mixed`, :mod:`approximate`, :mod:`bounds`; :mod:`simulation` runs a network
customer by customer.
"""
