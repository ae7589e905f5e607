"""Virtual server and role of each thread, for logs of collectors that did not record them.

The rules are the collector's own (collectors/agent/qemu_threads.py) without the sources that only the recorded host
has: a process is a virtual server by its command line, and its threads have the names that QEMU gives them with
``debug-threads=on``.
"""

from __future__ import annotations

import polars as pl

PROGRAM = r"^(?:\S*/)?(?:qemu-system-\S+|qemu-kvm|kvm)(?:\s|$)"
NAME = r"\s-name (?:guest=)?([^,\s]+)"
VCPU, VCPU_ID = r"^CPU \d+/|^ALL CPUs/", r"^CPU (\d+)/"
IOTHREAD = r"^IO (\S+)$"
WORKER = r"^(worker|iou-(wrk|sqp)-\d+)$"
VHOST = r"^vhost-(\d+)$"


def role_by_name(comm: pl.Expr) -> pl.Expr:
    """What a thread of QEMU does by its name; null for the main thread and helpers, whose names say nothing."""
    patterns = {"vcpu": VCPU, "iothread": IOTHREAD, "worker": WORKER, "vhost": VHOST}
    named = (pl.when(comm.str.contains(form)).then(pl.lit(role)) for role, form in patterns.items())
    return pl.coalesce(*named)


def machines_of(commands: pl.DataFrame) -> pl.DataFrame:
    """Virtual servers among processes (``pid``, ``command_line``): ``owner``, their pid, and ``guest``, their name."""
    return (
        commands.filter(pl.col("command_line").str.contains(PROGRAM))
        .unique("pid", keep="last", maintain_order=True)
        .select(owner="pid", guest=pl.col("command_line").str.extract(NAME))
    )


def has_vcpu_name(comm: pl.Expr) -> pl.Expr:
    """Whether a thread has the name of a vCPU."""
    return comm.str.contains(VCPU)


def with_derived_roles(
    threads: pl.DataFrame, machines: pl.DataFrame, named: pl.Series
) -> pl.DataFrame:
    """``threads`` with ``virtual_server_name``, ``task_role`` and ``task_role_id``, null where they cannot be derived.

    Parameters
    ----------
    threads : polars.DataFrame
        Rows of table tasks.
    machines : polars.DataFrame
        Virtual servers of the log (``machines_of``).
    named : polars.Series
        Processes of which a thread has the name of a vCPU. The threads of a QEMU whose vCPUs have no names of their
        own have no roles, but for the main thread.
    """
    if machines.is_empty():
        unknown = pl.lit(None, pl.String)
        return threads.with_columns(
            virtual_server_name=unknown, task_role=unknown, task_role_id=unknown
        )
    comm = pl.col("comm")
    vhost = comm.str.extract(VHOST)
    # many threads have few different names
    names = threads.select(comm.unique()).with_columns(
        vhost=vhost.cast(pl.Int64, strict=False),
        role=role_by_name(comm),
        role_id=pl.coalesce(vhost, comm.str.extract(VCPU_ID), comm.str.extract(IOTHREAD)),
    )
    threads = threads.join(names, on="comm", how="left", maintain_order="left")
    threads = threads.with_columns(owner=pl.coalesce("vhost", "pid")).join(
        machines.with_columns(is_machine=True), on="owner", how="left", maintain_order="left"
    )
    has_role = (pl.col("tid") == pl.col("pid")) | pl.col("pid").is_in(named.implode())
    role = pl.coalesce("role", pl.when(has_role).then(pl.lit("emulator")))
    is_machine = pl.col("is_machine").fill_null(False)
    return threads.with_columns(
        virtual_server_name=pl.when(is_machine).then("guest"),
        task_role=pl.when(is_machine).then(role),
        task_role_id=pl.when(is_machine).then("role_id"),
    ).drop("owner", "guest", "is_machine", "vhost", "role", "role_id")
