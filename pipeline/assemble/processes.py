"""Which processes are the server's, and which QEMU runs a guest: proposals from the rows with the most CPU time."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from pipeline.assemble.signals import with_growth

SERVERS = (
    "apache2", "httpd", "nginx", "lighttpd", "haproxy", "varnishd", "php-fpm", "uwsgi", "gunicorn", "node", "java",
    "mysqld", "mariadbd", "postgres", "postmaster", "mongod", "redis-server", "memcached",
)  # fmt: skip
"""Programs that serve requests; they go before others where they use CPU time."""
LOAD_GENERATORS = (
    "httperf", "sysbench", "ab", "wrk", "wrk2", "hey", "siege", "jmeter", "locust", "k6", "vegeta", "mysqlslap",
    "mariadb-slap", "pgbench", "oha", "bombardier", "h2load", "weighttp", "gatling", "tsung", "fortio", "ycsb",
    "memtier_benchmark", "redis-benchmark", "memaslap", "tpcc_start", "fio", "stress", "stress-ng", "curl", "wget",
)  # fmt: skip
"""Programs that send requests or make a load; on the server's own machine they may use more CPU time than it."""
TOOLS = (
    "top", "iotop", "atop", "htop", "pidstat", "sar", "sadc", "vmstat", "iostat", "mpstat", "perf", "collect",
    "record_experiment", "sh", "bash", "dash", "cat", "grep", "sleep", "gzip", "zstd", "ssh", "sshd", "systemd",
    "dbus-daemon", "rsyslogd", "cron", "crond", "python", "python2", "python3", "init",
)  # fmt: skip
"""Programs that record, and the system's own; kernel threads too are not servers."""
JMETER = r"(?i)^\S*java\b.*jmeter"
"""Command line of a load generator that has the name of its interpreter."""
MAX_NAME = 15
"""Characters of a program's name that the kernel keeps."""
KERNEL = (
    r"^\[|/|^(?:kworker|ksoftirqd|rcu_|jbd2|kswapd|migration|watchdog|khugepaged|kthreadd|events)"
)
QEMU = r"^(?:\S*/)?(?:qemu|kvm)"
QEMU_NAME = r"-name (?:guest=)?([^\s,]+)"
MIN_SHARE = 0.05
"""Of the growth of the busiest server; a program with less is not proposed."""


@dataclass(frozen=True)
class Program:
    """A program and its CPU time in a log of top."""

    name: str
    cpu_s: float
    processes: int


@dataclass(frozen=True)
class Qemu:
    """A QEMU on the host that the logs name."""

    name: str
    pattern: str
    bytes_moved: float = 0.0


def programs(rows: pl.DataFrame) -> list[Program]:
    """Programs in a log of top, the one with the largest growth of CPU time first.

    Parameters
    ----------
    rows : polars.DataFrame
        ``top_processes``; threads are left out.
    """
    is_jmeter = pl.col("command").str.contains(JMETER)
    processes = with_growth(rows.filter(~pl.col("is_thread"))).with_columns(
        name=pl.when(is_jmeter).then(pl.lit("jmeter")).otherwise(program())
    )
    frame = (
        processes.group_by("name")
        .agg(pl.col("growth_s").sum(), processes=pl.col("pid").n_unique())
        .sort("growth_s", "name", descending=[True, False])
    )
    return [Program(*row) for row in frame.drop_nulls("name").iter_rows()]


def program() -> pl.Expr:
    """Name of the program of column ``command``: without folder, arguments and colon."""
    first_word = pl.col("command").str.extract(r"^(\S+)")
    return (
        first_word.str.extract(r"([^/]+(?:/[0-9].*)?)$").str.strip_suffix(":").str.strip_suffix("+")
    )


def propose_servers(ordered: list[Program]) -> list[Program]:
    """Programs whose processes are probably the server's: those of ``SERVERS`` that use CPU time, else the busiest.

    Load generators and programs that record are never proposed.

    Examples
    --------
    >>> measured = [Program("httperf", 19.5, 1), Program("backup", 9.0, 1), Program("apache2", 0.8, 6)]
    >>> propose_servers(measured)
    [Program(name='apache2', cpu_s=0.8, processes=6)]
    """
    others = [
        item
        for item in ordered
        if item.cpu_s > 0
        and not re.search(KERNEL, item.name)
        and not is_program(item.name, (*LOAD_GENERATORS, *TOOLS))
    ]
    servers = [item for item in others if is_server(item.name)]
    if servers:
        return [item for item in servers if item.cpu_s >= MIN_SHARE * servers[0].cpu_s]
    return others[:1]


def is_program(name: str, names: tuple[str, ...]) -> bool:
    """Whether it is one of ``names``, also with a version or suffix, and as the kernel cuts it.

    Examples
    --------
    >>> [is_program(name, ("python3", "iotop", "ab")) for name in ("python3.11", "iotop-py", "abrtd")]
    [True, True, False]
    >>> is_program("memtier_benchma", ("memtier_benchmark",))
    True
    """
    return any(
        name in (each, each[:MAX_NAME]) or re.match(rf"{re.escape(each)}[-._:]", name)
        for each in names
    )


def is_server(name: str) -> bool:
    """Whether it is one of ``SERVERS``; top truncates names, and packages append versions."""
    is_cut = len(name) >= 5
    return any(
        name.startswith(server) or (is_cut and server.startswith(name)) for server in SERVERS
    )


def server_pattern(names: list[str], commands: pl.Series) -> str:
    """Regular expression of processes of these programs, for names and for command lines (top -c).

    Examples
    --------
    >>> server_pattern(["mariadbd"], pl.Series(["mariadbd", "sshd"]))
    '^mariadbd$'
    >>> server_pattern(["mysqld", "php-fpm"], pl.Series(["/usr/sbin/mysqld --user=mysql"]))
    '^(\\\\S*/)?(mysqld|php-fpm)'
    """
    escaped = [re.sub(r"([.+*?^$()\[\]{}|\\])", r"\\\1", name) for name in names]
    either = escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    own = commands.filter(commands.str.contains("|".join(escaped)))
    if own.str.contains(r"^\S*/|\s|:|\+$").any():
        return rf"^(\S*/)?{either}"
    return f"^{either}$"


def qemus(iotop: pl.DataFrame | None, top: pl.DataFrame | None) -> list[Qemu]:
    """The QEMUs on a host that command lines name, the one with the most bytes first.

    Parameters
    ----------
    iotop, top : polars.DataFrame or None
        ``iotop_tasks`` and ``top_processes`` of the host.
    """
    parts = [pl.DataFrame(schema={"command": pl.String, "moved": pl.Float64})]
    if iotop is not None and not iotop.is_empty():
        moved = pl.sum_horizontal(
            pl.col(name).fill_null(0.0) for name in ("read_bytes_per_s", "write_bytes_per_s")
        )
        parts.append(iotop.select("command", moved=moved))
    if top is not None and not top.is_empty():
        parts.append(top.select("command", moved=pl.lit(0.0)))
    frame = (
        pl.concat(parts)
        .filter(pl.col("command").str.contains(QEMU))
        .with_columns(
            name=pl.col("command").str.extract(QEMU_NAME),
            has_key=pl.col("command").str.contains(r"-name guest="),
        )
        .drop_nulls("name")
        .group_by("name", "has_key")
        .agg(pl.col("moved").sum())
        .sort("moved", "name", descending=[True, False])
    )
    return [
        Qemu(name, qemu_pattern(name, has_key=has_key), moved)
        for name, has_key, moved in frame.iter_rows()
    ]


def qemu_pattern(name: str, *, has_key: bool = True) -> str:
    """Regular expression of the command line of the QEMU that runs a guest."""
    escaped = name.replace(".", r"\.")
    return f"{'guest=' if has_key else '-name '}{escaped}([, ]|$)"


def qemu_rows(top: pl.DataFrame) -> pl.DataFrame:
    """Rows of QEMU processes in the host's ``top_processes``."""
    return top.filter(~pl.col("is_thread") & pl.col("command").str.contains(QEMU))
