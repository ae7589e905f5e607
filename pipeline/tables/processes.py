"""Tables of CPUs, processes and threads: top.log and tasks.log."""

from __future__ import annotations

import polars as pl

from pipeline.tables.schema import Column, Table, required_column, snapshot_columns

TOP_SUMMARY = Table(
    "top_summary",
    "One row per snapshot of top: the summary lines above its table.",
    {
        **snapshot_columns(),
        "clock": Column(pl.String, "time of day (HH:MM:SS) as printed, in the machine's time zone"),
        "uptime_s": Column(pl.Int64, "time since boot, at the resolution that top prints"),
        "users": Column(pl.Int64, "logged-in users"),
        "load_1": Column(pl.Float64, "load average over 1 minute"),
        "load_5": Column(pl.Float64, "load average over 5 minutes"),
        "load_15": Column(pl.Float64, "load average over 15 minutes"),
        "counts_threads": Column(pl.Boolean, "true with top -H: the task counts are threads"),
        "tasks": Column(pl.Int64, "tasks, total"),
        "tasks_running": Column(pl.Int64, "running tasks"),
        "tasks_sleeping": Column(pl.Int64, "sleeping tasks"),
        "tasks_stopped": Column(pl.Int64, "stopped tasks"),
        "tasks_zombie": Column(pl.Int64, "zombie tasks"),
        "cpu_user_percent": Column(pl.Float64, "CPU time in user mode (us)"),
        "cpu_system_percent": Column(pl.Float64, "CPU time in the kernel (sy)"),
        "cpu_nice_percent": Column(pl.Float64, "CPU time of niced user processes (ni)"),
        "cpu_idle_percent": Column(pl.Float64, "idle CPU time (id)"),
        "cpu_iowait_percent": Column(pl.Float64, "CPU time waiting for I/O (wa)"),
        "cpu_hardirq_percent": Column(pl.Float64, "CPU time serving hardware interrupts (hi)"),
        "cpu_softirq_percent": Column(pl.Float64, "CPU time serving software interrupts (si)"),
        "cpu_steal_percent": Column(
            pl.Float64,
            "CPU time stolen by the hypervisor (st); null where top does not print it",
        ),
        "memory_total_bytes": Column(pl.Int64, "total memory"),
        "memory_free_bytes": Column(pl.Int64, "free memory"),
        "memory_used_bytes": Column(pl.Int64, "used memory"),
        "memory_cache_bytes": Column(pl.Int64, "memory in buffers and page cache"),
        "memory_available_bytes": Column(
            pl.Int64,
            "memory available to new programs without swapping",
        ),
        "swap_total_bytes": Column(pl.Int64, "total swap space"),
        "swap_free_bytes": Column(pl.Int64, "free swap space"),
        "swap_used_bytes": Column(pl.Int64, "used swap space"),
        "is_interval": required_column(
            pl.Boolean,
            "false for top's first iteration, whose percentages are averages since boot or process start",
        ),
        "flags": Column(pl.String, "warnings about this snapshot, separated by blanks"),
    },
)

TOP_PROCESSES = Table(
    "top_processes",
    "One row per process (thread with -H) and snapshot of top.",
    {
        **snapshot_columns(),
        "pid": required_column(pl.Int64, "process id; thread id with -H"),
        "ppid": Column(pl.Int64, "process id of the parent, where the column is printed"),
        "user": Column(pl.String, "owner; ends in + where top truncated it"),
        "priority": Column(pl.String, "kernel priority (PR): a number or rt"),
        "nice": Column(pl.Int64, "nice value (NI)"),
        "virtual_bytes": Column(pl.Int64, "virtual memory (VIRT)"),
        "resident_bytes": Column(pl.Int64, "resident memory (RES)"),
        "shared_bytes": Column(pl.Int64, "shared memory (SHR)"),
        "state": Column(pl.String, "process state (S)"),
        "cpu_percent": Column(
            pl.Float64,
            "CPU time used over the interval (%CPU); see is_interval of top_summary",
        ),
        "memory_percent": Column(pl.Float64, "share of physical memory (%MEM)"),
        "cpu_time_s": Column(pl.Float64, "CPU time used since the process started (TIME+)"),
        "cpu_time_resolution_s": Column(pl.Float64, "resolution of cpu_time_s as printed"),
        "command": Column(pl.String, "command name or command line (COMMAND)"),
        "tgid": Column(
            pl.Int64,
            "thread group id: the thread's process, where the column is printed",
        ),
        "is_thread": required_column(pl.Boolean, "true where the row is a thread (top -H)"),
        "flags": Column(
            pl.String,
            "known faults of the tool that affect this row, separated by blanks",
        ),
    },
)

TASKS = Table(
    "tasks",
    "One row per thread and snapshot of tasks.log: counters of /proc/PID/task/TID/stat. "
    "Ticks are clock ticks; facts.json gives clock_ticks_per_s.",
    {
        **snapshot_columns(),
        "pid": required_column(pl.Int64, "process id"),
        "tid": required_column(pl.Int64, "thread id"),
        "starttime_ticks": required_column(pl.Int64, "start of the thread, ticks since boot"),
        "state": Column(pl.String, "state letter"),
        "processor": Column(pl.Int64, "CPU that it last ran on"),
        "utime_ticks": Column(pl.Int64, "user time, including guest time"),
        "stime_ticks": Column(pl.Int64, "kernel time"),
        "guest_time_ticks": Column(pl.Int64, "time in guest mode (0 under emulation)"),
        "blkio_delay_ticks": Column(pl.Int64, "time waiting for block I/O"),
        "comm": Column(pl.String, "name of the thread"),
        "virtual_server_name": Column(
            pl.String,
            "virtual server that it belongs to, by its name in QEMU; null if none or unknown",
        ),
        "task_role": Column(
            pl.String,
            "role in QEMU: vcpu, iothread, worker, emulator or vhost, as recorded, or from the thread's name in "
            "logs of older collectors; null if none or unknown",
        ),
        "task_role_id": Column(
            pl.String,
            "number of the vCPU, name of the iothread, or process id of the QEMU of a vhost thread",
        ),
    },
)

TASK_PROCESSES = Table(
    "task_processes",
    "One row per process and snapshot of tasks.log: counters of /proc/PID/stat and /proc/PID/io.",
    {
        **snapshot_columns(),
        "pid": required_column(pl.Int64, "process id"),
        "starttime_ticks": required_column(
            pl.Int64,
            "start of the process, ticks since boot; identifies the process together with pid and boot_id",
        ),
        "ppid": Column(pl.Int64, "process id of the parent"),
        "state": Column(pl.String, "state letter"),
        "threads": Column(pl.Int64, "number of threads"),
        "utime_ticks": Column(
            pl.Int64,
            "user time of all its threads, including exited threads and guest time",
        ),
        "stime_ticks": Column(pl.Int64, "kernel time of all its threads, including exited threads"),
        "child_utime_ticks": Column(pl.Int64, "user time of exited children that it waited for"),
        "child_stime_ticks": Column(pl.Int64, "kernel time of exited children that it waited for"),
        "guest_time_ticks": Column(pl.Int64, "time in guest mode"),
        "blkio_delay_ticks": Column(pl.Int64, "time waiting for block I/O"),
        "resident_pages": Column(pl.Int64, "resident memory in pages"),
        "comm": Column(pl.String, "name of the process"),
        "command_line": Column(pl.String, "command line, where recorded"),
        "read_chars_bytes": Column(
            pl.Int64,
            "bytes read by system calls, including from the page cache (rchar)",
        ),
        "write_chars_bytes": Column(pl.Int64, "bytes written by system calls (wchar)"),
        "read_syscalls": Column(pl.Int64, "read system calls (syscr)"),
        "write_syscalls": Column(pl.Int64, "write system calls (syscw)"),
        "read_bytes": Column(pl.Int64, "bytes fetched from block devices (read_bytes)"),
        "write_bytes": Column(
            pl.Int64,
            "bytes sent, or to be sent, to block devices (write_bytes)",
        ),
        "cancelled_write_bytes": Column(
            pl.Int64,
            "bytes dirtied and then truncated (cancelled_write_bytes)",
        ),
        "virtual_server_name": Column(
            pl.String,
            "virtual server that it belongs to, by its name in QEMU; null if none or unknown",
        ),
    },
)

CPUS = Table(
    "cpus",
    "One row per CPU (or `cpu`, all CPUs) and snapshot of tasks.log: the cpu lines of /proc/stat.",
    {
        **snapshot_columns(),
        "cpu": required_column(pl.String, "cpu (all CPUs), cpu0, cpu1, …"),
        **{
            f"{name}_ticks": Column(pl.Int64, f"{name} of /proc/stat")
            for name in (
                "user", "nice", "system", "idle", "iowait",
                "irq", "softirq", "steal", "guest", "guest_nice",
            )
        },
    },
)  # fmt: skip

KERNEL_COUNTERS = Table(
    "kernel_counters",
    "One row per counter of pressure, CPU quotas and halt polling and snapshot of tasks.log: its k lines.",
    {
        **snapshot_columns(),
        "source": required_column(pl.String, "pressure, cgroup or kvm"),
        "name": required_column(
            pl.String,
            "some_us, full_us (pressure); nr_periods, nr_throttled, throttled_us, quota_us, period_us, pid (cgroup); "
            "halt_poll_success_ns, halt_poll_fail_ns, halt_wait_ns (kvm)",
        ),
        "value": Column(pl.Int64, "value of the counter; the unit is the suffix of its name"),
        "subject": required_column(
            pl.String, "cpu, io or memory (pressure), path of a cgroup, or pid of a QEMU (kvm)"
        ),
    },
)
