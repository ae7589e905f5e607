"""Closed and mixed networks of product form, exactly, whatever serves: several servers, load dependence, delays.

Buzen's convolution (Comm. ACM 16 (1973) 527; Bolch et al. 2006, section 8.1) of the stations' factors, made safe
for any size by *tilting*: product form does not change when class c's demands are all multiplied by some x_c > 0.
With x_c the rates at which an open network would hold N customers on average, every factor becomes a probability
(that so many customers of the open network are at the station), every partial result is one too, and G(N) is the
probability that the open network holds exactly N: near its mode, far from overflow and underflow. All terms are
positive, so no digit is lost by cancellation; that is what ruins the multiserver recursion of Mean Value Analysis,
which subtracts to find P(idle).

What underflows is below 1e-308, and there are at most (number of terms) of them: when G(N) > 1e-250, they are
nothing. Otherwise (a station whose rate collapses under load can do that) everything is done again on logarithms.

A station's factor is φ(t) = Σ c(j) t^j with t = Σ_c D_c z_c. From j = T on, c is geometric, so that
φ(t) = Σ_{j<T} c(j) t^j + c(T) t^T / (1 − t/β): T shifts and one recursion, for any number of classes.

:mod:`problem` sorts the stations by what has to be done about them and refuses what would take too long, :mod:`scaling`
finds x, :mod:`single_class` (one class) and :mod:`multiclass` (several) hold G, and :mod:`convolve` puts them together.
"""

from pipeline.network.convolution.convolve import Convolved, convolve
from pipeline.network.convolution.problem import TooLargeError

__all__ = ["Convolved", "TooLargeError", "convolve"]
