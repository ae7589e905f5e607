"""Exact solution of closed and mixed product-form networks with any stations: multiserver, load-dependent, delay.

Buzen's convolution (Comm. ACM 16 (1973) 527; Bolch et al. 2006, section 8.1) of the stations' factors, made safe for
any size by static scaling: product form does not change when class c's demands are all multiplied by some x_c > 0.
With x_c the rates at which an open network would hold N customers on average, every factor becomes a probability
(of that many customers of the open network at the station), every partial result is one too, and G(N) is the
probability that the open network holds exactly N: near its mode, far from overflow and underflow. All terms are
positive, so no digit is lost by cancellation; the multiserver recursion of Mean Value Analysis subtracts to find
P(idle) and does lose them.

What underflows is below 1e-308 and there are at most as many of them as terms: with G(N) > 1e-250 they are
negligible. Otherwise (a station whose rate collapses under load) the computation is repeated in logarithms.

A station's factor is φ(t) = Σ c(j) t^j with t = Σ_c D_c z_c. From j = T on, c is geometric, so that
φ(t) = Σ_{j<T} c(j) t^j + c(T) t^T / (1 − t/β): T shifts and one recursion, for any number of classes.

:mod:`problem` classifies the stations and checks the resource limits, :mod:`scaling` computes x, :mod:`single_class`
and :mod:`multiclass` compute G, and :mod:`convolve` combines them. Short, because it only names the public functions.
"""

from pipeline.network.convolution.convolve import ConvolutionSolution, convolve, sweep_closed
from pipeline.network.convolution.problem import TooLargeError

__all__ = ["ConvolutionSolution", "TooLargeError", "convolve", "sweep_closed"]
