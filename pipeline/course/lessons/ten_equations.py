"""Questions of lesson 6 on the raw logs of the guest: equations (1) to (8)."""

from __future__ import annotations

from pipeline.course.given import Given
from pipeline.course.lessons.httperf_report import client_cpu_time
from pipeline.course.lessons.slips_of_logs import log, misread_value, of, unlike
from pipeline.course.question import Choice, Question

CLIENT_CPU = client_cpu_time("user", "run") + client_cpu_time("system", "run")


def uncapped_share(g: Given) -> float:
    """Equation (8) with a share above 1 left as it is."""
    row = g.run("run")
    return row["IO_vdisk_req_bytes"] / row["IO_vdisk_total_bytes"] * row["U_vdisk_total"]


T = Question(
    "T",
    "How long did the load last?",
    of("T_s"),
    slips=(
        (lambda g: 2 * g.run("run")["T_s"] - misread_value(g, "T_idle"), "you took the idle measurement off; it lies before start_ns, outside the load"),
        (log("T_end"), "that is end_ns in seconds since 1970; take start_ns off"),
        (lambda g: g.run("run")["T_s"] / 60, "that is in minutes; give seconds"),
        (log("T_snapshots"), "that is the time between two snapshots of top; T is the load's own, from start_ns to end_ns"),
        (log("T_idle"), "that includes the idle measurement before the load; begin at the load's start_ns"),
        (lambda g: -g.run("run")["T_s"], "that is start minus end; an increase is after minus before"),
        (lambda g: g.run("run")["T_s"] / g.run("run")["lambda_total"], "that is the time from one request to the next; the whole load is asked for"),
    ),
)  # fmt: skip

LAMBDA_TOTAL = Question(
    "lambda_total",
    "How many requests were completed? (httperf: replies; sysbench: transactions)",
    of("lambda_total"),
    unit="1",
    tolerance=0,
    slips=(
        (lambda g: g.run("run")["lambda_total"] * g.run("run")["T_s"], "the report's count is that of the whole load already; do not multiply it"),
        (lambda g: g.run("run")["lambda_total"] - 1, "a count is exact; yours is one short of the report's"),
        (lambda g: g.run("run")["lambda_total"] + 1, "a count is exact; yours is one more than the report's"),
        (of("X_client_per_s"), "that is a rate, requests per second; lambda_total is a count"),
        (of("X_per_s"), "that is a rate, requests per second; lambda_total is a count"),
        (of("rate_per_s"), "that is a rate, requests per second; lambda_total is a count"),
        (log("queries"), "these are SQL statements; a request is a transaction, which holds several of them"),
        (of("threads"), "that is the number of threads; count what they completed"),
        (lambda g: g.run("run")["T_s"], "that is the length of the load; a count of requests is asked for"),
    ),
)  # fmt: skip

T_CPU = Question(
    "T_cpu",
    "Equation (1): how much CPU time did the server's processes use during the load, all together?",
    of("T_cpu_s"),
    tolerance=0.002,
    slips=(
        (unlike(lambda g: g.run("run")["T_cpu_all_s"] - g.run("run")["T_cpu_s"], of("T_cpu_s")), "these are the other processes of the guest; the server's are asked for"),
        (unlike(of("T_cpu_net_s"), of("T_cpu_s")), "that is net of the idle measurement; equation (1) takes all of it"),
        (unlike(log("T_cpu_first"), of("T_cpu_s")), "that is TIME+ when the load began; take it off TIME+ at the end"),
        (unlike(log("T_cpu_ends"), of("T_cpu_s"), 0.003), "processes that ended during the load are missing; each counts up to its last snapshot"),
        (unlike(lambda g: g.run("run")["T_cpu_s"] - misread_value(g, "T_cpu_one"), of("T_cpu_s"), 0.003), "a process is missing, the one that used most"),
        (of("T_cpu_boot_s"), "that is TIME+ since boot; take off what each process had used when the load began"),
        (of("T_cpu_all_s"), "these are all processes of the guest; the equation counts only the server's"),
        (unlike(lambda g: g.run("run")["T_cpu_s"] / g.run("run")["server_process_count"], of("T_cpu_s")), "that is the mean of the server's processes; equation (1) adds them up"),
        (unlike(log("T_cpu_one"), of("T_cpu_s")), "that is the busiest process alone; equation (1) adds up all of the server's"),
        (unlike(log("T_cpu_early"), of("T_cpu_s"), 0.003), "you stopped at the last snapshot before the end; take the first at or after it"),
        (unlike(log("T_cpu_late"), of("T_cpu_s"), 0.003), "you began at the first snapshot after the start; take the last at or before it"),
        (of("T_qemu_s"), "that is what the host gave to QEMU; equation (1) asks top in the guest"),
        (unlike(log("T_cpu_log"), of("T_cpu_s"), 0.003), "that is the growth over the whole log; take the snapshots around the load"),
        (log("T_cpu_added"), "TIME+ is a total already: do not add snapshots, take the growth from the first to the last"),
        (lambda g: misread_value(g, "T_cpu_first") + g.run("run")["T_cpu_boot_s"], "you added TIME+ before and after; its growth is after minus before"),
        (lambda g: g.run("run")["T_cpu_s"] / 60, "TIME+ is minutes:seconds, and cpu_times gives seconds already: do not divide by 60"),
        (lambda g: g.run("run")["T_cpu_s"] * 100, "cpu_times gives seconds, not hundredths"),
        (client_cpu_time("user", "run"), "that is the CPU time of the load generator; the server's is in top of the guest"),
        (client_cpu_time("system", "run"), "that is the CPU time of the load generator; the server's is in top of the guest"),
        (CLIENT_CPU, "that is the CPU time of the load generator; the server's is in top of the guest"),
    ),
)  # fmt: skip

R_CPU = Question(
    "R_cpu",
    "Equation (2): how much CPU time does one request use?",
    lambda g: g.answer("T_cpu") / g.answer("lambda_total"),
    needs=("T_cpu", "lambda_total"),
    slips=(
        (unlike(of("R_cpu_net_s"), of("R_cpu_s")), "that is net of the idle measurement; equation (2) takes all of T_cpu"),
        (lambda g: g.answer("T_cpu") / g.run("run")["operations_vdisk"], "you divided by the operations of the disk; divide by the requests of users"),
        (lambda g: g.run("run")["T_qemu_s"] / g.answer("lambda_total"), "that is the CPU time of QEMU on the host; equation (2) takes T_cpu"),
        (lambda g: g.run("run")["T_cpu_all_s"] / g.answer("lambda_total"), "these are all processes of the guest; equation (2) takes the server's"),
        (unlike(lambda g: g.run("run")["R_cpu_s"] / g.run("run")["server_process_count"], of("R_cpu_s")), "that is the mean of the server's processes; equation (1) adds them up"),
        (lambda g: g.answer("T_cpu") / g.run("run")["T_s"], "you divided by T: that is a utilization; divide by the number of requests"),
        (lambda g: g.answer("T_cpu") / g.run("run")["X_per_s"], "you divided by the rate; equation (2) divides by the number of requests"),
        (lambda g: g.answer("T_cpu") / g.run("run")["X_client_per_s"], "you divided by the rate; equation (2) divides by the number of requests"),
        (lambda g: g.run("run")["T_cpu_boot_s"] / g.answer("lambda_total"), "that is TIME+ since boot, per request; take off what was used before the load"),
        (lambda g: g.answer("T_cpu") * g.answer("lambda_total"), "divide, do not multiply: one request uses a small part"),
        (lambda g: g.answer("T_cpu") / g.answer("lambda_total") ** 2, "divide by the number of requests once"),
        (lambda g: CLIENT_CPU(g) / g.answer("lambda_total"), "that is the CPU time of the load generator; the server's is in top of the guest"),
        (unlike(lambda g: misread_value(g, "T_cpu_first") / g.answer("lambda_total"), of("R_cpu_s")), "that is TIME+ when the load began; take it off TIME+ at the end"),
    ),
)  # fmt: skip

U_VDISK_TOTAL = Question(
    "U_vdisk_total",
    "Equation (3): which share of the load's time was the guest's disk busy (its utilization)?",
    of("U_vdisk_total"),
    unit="1",
    slips=(
        (lambda g: g.run("run")["U_vdisk_total"] + g.run("run")["U_disk_total"], "these are both disks; the guest's alone is asked for"),
        (lambda g: g.run("run")["T_vdisk_s"] / g.run("run")["T_cpu_s"], "you divided by the CPU time; divide by T, the length of the load"),
        (lambda g: g.run("run")["T_vdisk_s"] / misread_value(g, "T_idle"), "the idle measurement is in your time; divide by T, the load's own"),
        (lambda g: misread_value(g, "read_ticks_s") / g.run("run")["T_s"], "that is field 4, the time of the reads; io_ticks is field 10"),
        (lambda g: misread_value(g, "write_ticks_s") / g.run("run")["T_s"], "that is field 8, the time of the writes; io_ticks is field 10"),
        (of("X_vdisk_per_s"), "these are operations per second; a utilization is busy time over T"),
        (of("T_vdisk_s"), "that is the busy time itself; a utilization is busy time over T"),
        (of("N_vdisk"), "that is field 11 (time in queue) over T, the mean number of requests in the disk; io_ticks is field 10"),
        (lambda g: g.run("run")["rw_ticks_vdisk_s"] / g.run("run")["T_s"], "these are fields 4 and 8, in which every waiting request counts; io_ticks is field 10"),
        (lambda g: g.run("run")["io_ticks_boot_vdisk_s"] / g.run("run")["T_s"], "that is io_ticks since boot; take the growth between the two snapshots"),
        (lambda g: g.run("run")["T_vdisk_s"] / misread_value(g, "T_snapshots"), "you divided by the time between two snapshots; divide by T, the load's own"),
        (lambda g: g.run("run")["T_vdisk_s"] / g.answer("lambda_total"), "you divided by the number of requests: that is a demand; a utilization is busy time over T"),
        (of("U_disk_total"), "that is the host's disk; here the guest's is asked for"),
        (unlike(lambda g: 0.0, of("U_vdisk_total")), "field 9 is what is in flight at the moment; io_ticks is field 10, which is index 9"),
        (lambda g: 1 - g.run("run")["U_vdisk_total"], "that is the share in which the disk was idle"),
        (lambda g: 10 * g.run("run")["U_vdisk_total"], "io_ticks is in milliseconds, not in hundredths of a second"),
        (lambda g: (g.run("run")["io_ticks_boot_vdisk_s"] - g.run("run")["T_vdisk_s"]) / g.run("run")["T_s"], "that is io_ticks when the load began; take it off io_ticks after it"),
        (lambda g: (2 * g.run("run")["io_ticks_boot_vdisk_s"] - g.run("run")["T_vdisk_s"]) / g.run("run")["T_s"], "you added io_ticks before and after; its growth is after minus before"),
    ),
)  # fmt: skip

SIGN = Choice(
    "sign",
    "The paper prints Read = Read(t1) − Read(t2), where t1 is before the load and t2 after it. "
    "What does that give for a counter that only grows?",
    {
        "a": "the bytes that were read during the load",
        "b": "the same number with a minus sign",
        "c": "zero",
        "d": "the bytes that were read since boot",
    },
    right="b",
    reasons={
        "a": "what was read during the load is the later count minus the earlier one; here the smaller number "
        "comes first",
        "c": "the two counts differ by what was read during the load",
        "d": "a difference of two counts does not hold what came before both",
    },
)

IO_VDISK_TOTAL = Question(
    "IO_vdisk_total",
    "Equations (4) to (6): how many bytes did the guest's disk read and write during the load?",
    of("IO_vdisk_total_bytes"),
    unit="B",
    tolerance=0,
    slips=(
        (lambda g: 2 * g.run("run")["Read_vdisk_total_bytes"], "you took the reads two times; equation (6) adds the writes"),
        (lambda g: g.run("run")["IO_vdisk_total_bytes"] / g.run("run")["T_s"], "that is bytes per second; the bytes of the whole load are asked for"),
        (log("IO_boot"), "these are the counters since boot; take off what they had when the load began"),
        (log("sectors"), "these are sectors; one is 512 bytes"),
        (lambda g: 8 * g.run("run")["IO_vdisk_total_bytes"], "you took 4096 bytes a sector; /sys counts in units of 512 whatever the disk says"),
        (lambda g: g.run("run")["IO_vdisk_total_bytes"] * 1000 / 512, "you took 1000 bytes a sector; it is 512"),
        (lambda g: 2 * g.run("run")["IO_vdisk_total_bytes"], "you took 1024 bytes a sector; it is 512"),
        (lambda g: -g.run("run")["IO_vdisk_total_bytes"], "that is before minus after, as the paper prints it; an increase is after minus before"),
        (lambda g: g.run("run")["Read_vdisk_total_bytes"] - g.run("run")["Write_vdisk_total_bytes"], "you took the written bytes off; equation (6) adds them"),
        (of("Read_vdisk_total_bytes"), "these are the reads alone; equation (6) adds the writes"),
        (of("Write_vdisk_total_bytes"), "these are the writes alone; equation (6) adds the reads"),
        (log("IO_field_before"), "these are fields 2 and 6, merged requests; sectors are fields 3 and 7 counted from 1, so 2 and 6 counted from 0"),
        (log("IO_field_after"), "these are fields 4 and 8, times in ms; sectors are fields 3 and 7 counted from 1, so 2 and 6 counted from 0"),
        (log("IO_operations"), "these are fields 1 and 5, operations; sectors are fields 3 and 7"),
        (of("operations_vdisk"), "these are operations, fields 1 and 5; bytes are sectors, fields 3 and 7, times 512"),
        (lambda g: g.run("run")["operations_vdisk"] * 4096, "an operation moves more or less than 4096 bytes: take the sectors, fields 3 and 7"),
        (lambda g: g.run("run")["IO_vdisk_total_bytes"] / g.answer("lambda_total"), "that is per request; the bytes of the whole load are asked for"),
        (lambda g: misread_value(g, "IO_boot") - g.run("run")["IO_vdisk_total_bytes"], "these are the counters when the load began; take them off those after it"),
    ),
)  # fmt: skip

NAMELESS = Choice(
    "nameless",
    "iotop shows rows with the command {no such process}. Whose bytes are these?",
    {
        "a": "nobody's: leave the rows out",
        "b": "those of a thread that ended before its name was read; its number (TID) tells whose it was",
        "c": "the kernel's own",
        "d": "the server's, always",
    },
    right="b",
    reasons={
        "a": "the bytes were moved all the same, and the disk was busy with them",
        "c": "a thread of the kernel has a name in square brackets, such as [jbd2/vda-8]",
        "d": "any thread can end between two snapshots; look its number up in tasks.log, which lists the "
        "threads of a process",
    },
)

IO_VDISK_REQ = Question(
    "IO_vdisk_req",
    "Equation (7): how many bytes did the server's tasks read and write during the load, by iotop?",
    of("IO_vdisk_req_bytes"),
    unit="B",
    tolerance=0.002,
    slips=(
        (unlike(of("IO_disk_req_bytes"), of("IO_vdisk_req_bytes"), 0.003), "that is QEMU on the host; the guest's iotop is asked for"),
        (unlike(log("IO_reads"), of("IO_vdisk_req_bytes"), 0.003), "these are the reads alone; add the writes"),
        (unlike(log("IO_writes"), of("IO_vdisk_req_bytes"), 0.003), "these are the writes alone; add the reads"),
        (log("IO_rates"), "you added up rates; multiply each by the seconds since the snapshot before it"),
        (log("IO_times_T"), "you multiplied the rates by T; each holds only for the seconds since the snapshot before it"),
        (unlike(log("IO_all"), of("IO_vdisk_req_bytes"), 0.003), "these are the rows of all tasks; only the server's count"),
        (log("IO_thousand"), "you took K for 1000 bytes; iotop's K is 1024"),
        (unlike(log("IO_named"), of("IO_vdisk_req_bytes"), 0.003), "the rows {no such process} of the server's threads are missing; tasks.log knows their numbers"),
        (log("IO_gone"), "these are only the threads that iotop has no name for; add the rows that have one"),
        (unlike(log("IO_extra"), of("IO_vdisk_req_bytes"), 0.003), "that is an interval too many: the first one ends with snapshot first + 1"),
        (of("IO_vdisk_total_bytes"), "that is the disk's own count, of all tasks; equation (7) asks for the server's by iotop"),
        (lambda g: g.run("run")["IO_vdisk_req_bytes"] / g.run("run")["T_s"], "that is bytes per second; the bytes of the whole load are asked for"),
        (log("IO_mean_rate"), "that is bytes per second; the bytes of the whole load are asked for"),
        (lambda g: g.run("run")["IO_vdisk_req_bytes"] / g.answer("lambda_total"), "that is per request; the bytes of the whole load are asked for"),
        (lambda g: g.run("run")["IO_vdisk_req_bytes"] * 1e9, "the times of the snapshots are in nanoseconds: divide by 1e9"),
        (unlike(lambda g: misread_value(g, "IO_all") - g.run("run")["IO_vdisk_req_bytes"], of("IO_vdisk_req_bytes"), 0.003), "these are the rows of all other tasks; the server's are asked for"),
        (unlike(lambda g: g.run("run")["IO_vdisk_req_bytes"] / g.run("run")["server_process_count"], of("IO_vdisk_req_bytes")), "that is the mean of the server's processes; equation (7) adds them up"),
        (unlike(lambda g: g.run("run")["IO_vdisk_total_bytes"] - g.run("run")["IO_vdisk_req_bytes"], of("IO_vdisk_req_bytes")), "that is what the disk counts more than iotop's rows of the server; the rows' bytes are asked for"),
    ),
)  # fmt: skip

U_VDISK_REQ = Question(
    "U_vdisk_req",
    "Equation (8): which share of the time was the guest's disk busy for the server?",
    lambda g: (
        min(g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total"), 1.0) * g.answer("U_vdisk_total")
    ),
    unit="1",
    needs=("IO_vdisk_req", "IO_vdisk_total", "U_vdisk_total"),
    slips=(
        (lambda g: g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total") * g.run("run")["U_disk_total"], "you took the utilization of the host's disk; take the guest's"),
        (lambda g: g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total") * g.run("run")["T_vdisk_s"], "you multiplied by the busy time; multiply the share by the utilization"),
        (unlike(uncapped_share, of("U_vdisk_req")), "the ratio of the bytes is above 1 here; a share cannot be, so let it count as 1"),
        (lambda g: g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total"), "that is the share of the bytes; multiply it by the utilization of the disk"),
        (unlike(of("U_vdisk_total"), of("U_vdisk_req")), "that is the whole disk; equation (8) takes the server's share of it"),
        (lambda g: unlike(lambda h: h.run("run")["U_vdisk_total"] ** 2 / h.run("run")["U_vdisk_req"], of("U_vdisk_req"))(g), "the ratio is upside down: the server's bytes over all bytes"),
        (lambda g: g.answer("IO_vdisk_req") / g.run("run")["T_s"], "these are bytes per second; multiply the server's share of the bytes by the utilization"),
        (unlike(lambda g: g.run("run")["U_vdisk_total"] - g.run("run")["U_vdisk_req"], of("U_vdisk_req")), "that is for all other tasks; the server's share is asked for"),
        (lambda g: 1 - g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total"), "that is the share of the bytes of all other tasks; multiply the server's share by the utilization"),
        (lambda g: g.answer("IO_vdisk_req") / g.answer("IO_vdisk_total") / g.run("run")["T_s"], "multiply the share by the utilization; do not divide it by the time"),
    ),
)  # fmt: skip
