"""Lesson 6: the paper's ten equations on the raw logs of a run."""

from __future__ import annotations

from pipeline.course.lessons.residence_times import (
    ABOVE_1,
    D_AS_PRINTED,
    D_DISK,
    R_BUSY,
    R_CLIENT,
    R_DISK,
    R_NESTED,
    R_SUM,
    R_VDISK,
    D,
)
from pipeline.course.lessons.slips_of_logs import log, misread_value, of, unlike
from pipeline.course.lessons.ten_equations import (
    IO_VDISK_REQ,
    IO_VDISK_TOTAL,
    LAMBDA_TOTAL,
    NAMELESS,
    R_CPU,
    SIGN,
    T_CPU,
    U_VDISK_REQ,
    U_VDISK_TOTAL,
    T,
)
from pipeline.course.question import Lesson, OpenQuestion, Prediction, Quantity, Question

IO_GONE = Question(
    "IO_gone",
    "In the closed run: how many bytes belong to threads of the server whose name iotop could not read?",
    log("IO_gone", "closed"),
    unit="B",
    tolerance=0.002,
    slips=(
        (
            log("IO_named", "closed"),
            "these are the rows with a name; those without one are asked for",
        ),
        (
            of("IO_vdisk_req_bytes", "closed"),
            "rows with a name are in there; only those without one are asked for",
        ),
        (
            unlike(
                lambda g: (
                    misread_value(g, "IO_all", "closed") - misread_value(g, "IO_named", "closed")
                ),
                log("IO_gone", "closed"),
            ),
            "these are all rows without the server's name; only threads that tasks.log lists under the server count",
        ),
        (
            lambda g: misread_value(g, "IO_gone", "closed") / 1.024,
            "you took K for 1000 bytes; iotop's K is 1024",
        ),
        (
            unlike(log("IO_gone_reads", "closed"), log("IO_gone", "closed")),
            "these are the reads alone; add the writes",
        ),
        (
            unlike(log("IO_gone_writes", "closed"), log("IO_gone", "closed")),
            "these are the writes alone; add the reads",
        ),
        (
            log("IO_gone_rows", "closed"),
            "that is the number of the rows; their bytes are asked for",
        ),
        (
            lambda g: misread_value(g, "IO_gone", "closed") / g.run("closed")["T_s"],
            "that is bytes per second; the bytes of the whole load are asked for",
        ),
        (
            lambda g: misread_value(g, "IO_gone", "closed") * g.run("closed")["T_s"],
            "task_bytes has bytes already: do not multiply by a time",
        ),
        (
            lambda g: misread_value(g, "IO_gone", "closed") / g.run("closed")["IO_vdisk_req_bytes"],
            "that is their share of the server's bytes; the bytes are asked for",
        ),
        (
            lambda g: 0.0,
            "none: did you look for the command {no such process}, and for the threads of the closed run?",
        ),
    ),
)

NESTING = Prediction(
    "D_disk_inside",
    "The guest's disk is a file on the host's disk, so each of its operations contains those of the host's. In the "
    "run of the surprise, one request keeps the guest's disk busy for the time D_inside of the table. How long does "
    "it keep the host's disk busy?",
    of("D_disk_s", "other"),
)

PARTS = OpenQuestion(
    "parts",
    "Which of the ten equations is the least certain for this run, and why?",
    "A reason from the instruments: TIME+ has steps of 0.01 s per process; iotop's rates end at other moments than the "
    "disk's counters and charge a write when memory is changed; io_ticks counts in steps of the kernel's clock; the "
    "counters are read once per second, so the window is longer than the load. And from the model: equation (10) "
    "presumes random arrivals, httperf's here are evenly spaced; equation (2) has no work of the kernel for the "
    "network, of QEMU or of the hypervisor in it.",
)

LESSON = Lesson(
    number=6,
    name="06_ten_equations",
    title="The paper's ten equations on real logs",
    opening="Ten equations, three tools, no server. Can you get the paper's numbers from the raw text, and the "
    "client's?",
    minutes=90,
    outcomes=(
        "Take a counter's growth over a window, with processes that start and end, and with two clocks.",
        "Apply equations (1) to (10) and say which of them can be read in more than one way.",
        "Say what each instrument cannot see.",
    ),
    runs={
        "run": "first/web-005-a/web",
        "busy": "first/web-080-poisson/web",
        "closed": "first/db-16-a/db",
        "other": "first/web-005-b/web",
    },
    quantities=(
        Quantity(
            "D_busy",
            of("D_vdisk_s", "busy"),
            "s",
            "busy run: demand of a request at the guest's disk",
        ),
        Quantity("X_busy", of("X_per_s", "busy"), "1/s", "busy run: requests per second"),
        Quantity(
            "D_inside",
            of("D_vdisk_s", "other"),
            "s",
            "run of the surprise: demand of a request at the guest's disk",
        ),
    ),
    questions=(
        NESTING,
        T,
        LAMBDA_TOTAL,
        T_CPU,
        R_CPU,
        U_VDISK_TOTAL,
        SIGN,
        IO_VDISK_TOTAL,
        NAMELESS,
        IO_VDISK_REQ,
        U_VDISK_REQ,
        IO_GONE,
        D_AS_PRINTED,
        D,
        R_VDISK,
        R_BUSY,
        D_DISK,
        R_DISK,
        ABOVE_1,
        R_SUM,
        R_NESTED,
        R_CLIENT,
        PARTS,
    ),
    books=(
        "Yang and Lan, section V: the ten equations, their tools, and Tables I and II.",
        "Linux, Documentation/block/stat.rst: the fields of /sys/block/DEVICE/stat; io_ticks counts the time with at "
        "least one request in flight, time_in_queue every waiting request.",
        "Denning and Buzen (1978), Computing Surveys 10, page 236: the Service Demand Law D = U/X, with X of the "
        "system's requests, not of the device's operations.",
        "Lazowska et al. (1984), chapter 3: U = X D and R = D/(1 − U), which presumes that a request finds the queue "
        "of the time average.",
        "Gregg (2020), chapter 9: what iotop, iostat and block tracing can each see of a disk.",
    ),
    exam=(
        (
            "A process had TIME+ 0:12.40 when the load began and 0:15.90 when it ended; a second one started in "
            "between "
            "and ended with 0:01.10. 700 requests were completed. What is R_cpu?",
            "(15.90 − 12.40 + 1.10)/700 = 6.57 ms.",
        ),
        (
            "io_ticks grew by 9,000 ms in 60 s, in which 1,200 requests of users made 3,600 disk operations. "
            "Give U, the "
            "demand of a request, and equation (9) as printed.",
            "U = 0.15; D = U/X = 0.15/20 = 7.5 ms; as printed 0.15/60 = 2.5 ms per operation.",
        ),
        (
            "Why may R_vdisk not be added to R_disk?",
            "The guest's request is in flight until the host's disk has answered: the guest's time contains the "
            "host's, and the sum includes it two times.",
        ),
    ),
    surprise="In one recorded run the host's disk is busy longer per request than the guest's disk that contains it: "
    "both counters are sampled.",
    before_surprise="The guest's disk contains the host's. Can the outer one be busy for a shorter time than "
    "the inner one?",
    stuck="Write the two snapshots that bracket the load on the board, one line of the log each, and subtract field by "
    "field; then ask which of the differences the equation needs. Or let the group call raw_logs.cpu_times and raw_logs.rates instead of functions of its own.",
)
