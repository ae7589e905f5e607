"""What rests on what: the quantities of the ledger, and those that are computed from each of them."""

from __future__ import annotations

from collections.abc import Iterable

EVERYTHING = "everything"
"""Stands for all quantities of a virtual server."""

X_MVA = "X_mva"
"""The throughput that the closed model gives; in the ledger an X_req by equation MVA."""

_OF_A_DISK = {
    "IO_{d}_task": ("IO_{d}_req",),
    "IO_{d}_req": ("share_{d}",),
    "Read_{d}_total": ("IO_{d}_total",),
    "Write_{d}_total": ("IO_{d}_total",),
    "IO_{d}_total": ("share_{d}",),
    "share_{d}": ("U_{d}_req",),
    "T_{d}": ("U_{d}_total",),
    "U_{d}_total": ("U_{d}_req", "R_{d}"),
    "U_{d}_req": ("D_{d}_req", "R_{d}"),
    "X_{d}_total": ("D_{d}_req",),
    "D_{d}_req": ("R_{d}",),
    "R_{d}": ("R_req",),
    "L_{d}": (),
}

FED_BY: dict[str, tuple[str, ...]] = {
    "lambda_total": ("R_cpu", "X_req"),
    "T": (
        "X_req", "U_vcpu", "U_qemu",
        *(f"{name}_{d}" for d in ("vdisk", "disk") for name in ("L",)),
        *(f"{name}_{d}_total" for d in ("vdisk", "disk") for name in ("U", "X")),
    ),
    "T_cpu_process": ("T_cpu",),
    "T_cpu_idle": ("T_cpu",),
    "T_cpu_witness": (),
    "T_cpu": ("U_vcpu", "R_cpu"),
    "U_vcpu": (),
    "T_qemu": ("U_qemu",),
    "U_qemu": (),
    "R_cpu": ("R_req",),
    "X_req": ("D_vdisk_req", "D_disk_req"),
    "R_req": ("error_R", X_MVA),
    X_MVA: (),
    "X_client": ("N_client",),
    "R_client": ("N_client", "error_R"),
    "N_client": (),
    "error_R": (),
    **{
        name.format(d=disk): tuple(fed.format(d=disk) for fed in feeds)
        for disk in ("vdisk", "disk")
        for name, feeds in _OF_A_DISK.items()
    },
}  # fmt: skip
"""Quantity → the quantities that are computed from it."""


def resting_on(roots: Iterable[str]) -> set[str]:
    """``roots`` and all that is computed from them; all quantities if one of them is ``EVERYTHING``."""
    waiting, found = list(roots), set[str]()
    if EVERYTHING in waiting:
        return set(FED_BY)
    while waiting:
        quantity = waiting.pop()
        if quantity not in found:
            found.add(quantity)
            waiting += FED_BY[quantity]
    return found
