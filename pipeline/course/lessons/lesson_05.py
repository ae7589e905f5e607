"""Lesson 5: inside KVM. Guest mode, exits, virtio, and what the guest and the host each count."""

from __future__ import annotations

from pipeline.course.formula import Formula, answer, column, given
from pipeline.course.given import Given, NoValue
from pipeline.course.lessons.kvm_run import kvm_run
from pipeline.course.lessons.virtio_read import MODES_AND_VIRTIO
from pipeline.course.question import (
    Choice,
    Lesson,
    OpenQuestion,
    Prediction,
    Quantity,
    Question,
    Value,
)

R_CPU, T_QEMU, C, X, U = map(given, ("R_cpu", "T_qemu", "C", "X", "U"))
T_VDISK, T_DISK, C_VDISK, C_DISK = map(given, ("T_vdisk", "T_disk", "C_vdisk", "C_disk"))
X_BUSY, U_BUSY = map(given, ("X_busy", "U_busy"))
T_CPU_DB, T_QEMU_DB, T_DB = map(given, ("T_cpu_db", "T_qemu_db", "T_db"))
GUEST, USER, SYSTEM, C_KVM, F = map(given, ("guest", "user", "system", "C_kvm", "f"))
KVM_SECONDS = Formula(lambda g: kvm_run(g).seconds)

LAYER_S = T_VDISK - T_DISK
LAYER = LAYER_S / C_VDISK
VIEWS = T_CPU_DB / T_QEMU_DB
HOST_COST = T_QEMU / C
D = (U_BUSY - U) / (X_BUSY - X)
"""CPU time of the host that one more page costs: the slope of U over X."""
B = U - X * D
EXITS = USER - GUEST + SYSTEM
"""Ticks of the vCPU thread that are not guest mode."""
R_VCPU, R_KVM = GUEST / F / C_KVM, EXITS / F / C_KVM


def apart(value: Value, other: Value) -> Formula:
    """A wrong value, unless it is within 2 % of another on this host: no hint could tell the methods apart."""

    def checked(g: Given) -> float:
        number, near = value(g), other(g)
        if abs(number - near) <= 0.02 * abs(near):
            raise NoValue("two methods give the same number on this host")
        return number

    return Formula(checked)


def since_boot(counter: str) -> Formula:
    """A counter of the vCPU thread at the end, not its growth, in seconds per request."""
    return Formula(lambda g: kvm_run(g).since_boot(counter)) / F / C_KVM


QUANTITIES = (
    Quantity("R_cpu", column("web", "R_cpu_s"), "s", "first/web-005-a: CPU time of Apache per page, as the guest's top counts it"),
    Quantity("T_qemu", column("web", "T_qemu_s"), "s", "… CPU time of the guest's whole QEMU, as the host counts it"),
    Quantity("C", column("web", "lambda_total"), "1", "… pages delivered"),
    Quantity("X", column("web", "X_per_s"), "1/s", "… throughput"),
    Quantity("U", column("web", "U_qemu"), "1", "… CPUs that the host spent on the guest's QEMU"),
    Quantity("T_vdisk", column("web", "T_vdisk_s"), "s", "… growth of io_ticks of the guest's disk"),
    Quantity("T_disk", column("web", "T_disk_s"), "s", "… growth of io_ticks of the host's disk under it"),
    Quantity("C_vdisk", column("web", "operations_vdisk"), "1", "… operations that the guest's disk completed"),
    Quantity("C_disk", column("web", "operations_disk"), "1", "… operations that the host's disk completed"),
    Quantity("X_busy", column("busy", "X_per_s"), "1/s", "first/web-110-even: throughput"),
    Quantity("U_busy", column("busy", "U_qemu"), "1", "… CPUs that the host spent on the guest's QEMU"),
    Quantity("T_cpu_db", column("database", "T_cpu_s"), "s", "second/db-16-a: CPU time of MariaDB, as the guest's top counts it"),
    Quantity("T_qemu_db", column("database", "T_qemu_s"), "s", "… CPU time of the guest's whole QEMU, as the host counts it"),
    Quantity("T_db", column("database", "T_s"), "s", "… length of the window"),
    Quantity("guest", lambda g: kvm_run(g).guest, "ticks", "vCPU thread under KVM: growth of guest_time"),
    Quantity("user", lambda g: kvm_run(g).user, "ticks", "… growth of utime"),
    Quantity("system", lambda g: kvm_run(g).system, "ticks", "… growth of stime"),
    Quantity("C_kvm", lambda g: kvm_run(g).requests, "1", "… requests completed meanwhile"),
    Quantity("f", lambda g: kvm_run(g).ticks_per_s, "1/s", "… ticks per second of that host"),
)  # fmt: skip

WHERE_IT_RUNS = (
    Prediction(
        "guess",
        "A page needs R_cpu of CPU time in the guest. Predict how much CPU time it costs the host at this low "
        "throughput, all of the guest's QEMU together.",
        HOST_COST,
    ),
    *MODES_AND_VIRTIO,
)

DISKS = (
    Question(
        "layer",
        "What does the virtualization layer add to one disk operation of the guest, on the mean?",
        LAYER,
        slips=(
            (LAYER_S / (C_VDISK - C_DISK), "divide by the guest's operations, not by the difference of both numbers"),
            (LAYER_S * C_VDISK, "you multiplied; a time per operation is a quotient"),
            (LAYER_S / X, "you divided a time by a rate; divide by the number of operations"),
            (LAYER_S / column("web", "X_vdisk_per_s"), "you divided a time by a rate; divide by the number of operations"),
            (LAYER_S / C, "that is per page; divide by the operations C_vdisk, not by the pages C"),
            (T_VDISK / C_VDISK, "that is all of the guest's operation; the host's disk is still in it"),
            (apart(T_DISK / C_DISK, T_DISK / C_VDISK), "that is an operation of the host's disk"),
            (T_DISK / C_VDISK, "that is the host's disk; the layer is the rest of the guest's busy time"),
            (apart(T_VDISK / C_VDISK - T_DISK / C_DISK, LAYER), "the disks completed different numbers of operations, as requests are merged: subtract the busy times, then divide by the guest's operations"),
            (apart(LAYER_S / C_DISK, LAYER), "that is per operation of the host; the guest's are asked for"),
            (T_VDISK - T_DISK, "that is the layer's time in the whole window; divide by the guest's operations"),
            ((T_VDISK + T_DISK) / C_VDISK, "the guest's busy time contains the host's: subtract, do not add"),
            (LAYER_S / column("web", "T_s"), "that is a utilization; divide by the operations, not by the time"),
            (T_VDISK / C, "that is the guest's disk per page"),
            (T_VDISK / T_DISK, "that is a ratio of two times; a time per operation is asked for"),
            (LAYER_S / (C_VDISK + C_DISK), "an operation of the guest becomes one of the host: do not add their numbers"),
            (T_VDISK / C_VDISK + T_DISK / C_DISK, "the guest's busy time contains the host's: subtract, do not add"),
            (apart(T_VDISK / C_DISK, T_VDISK / C_VDISK), "that is the guest's busy time over the host's operations"),
            (T_DISK / C, "that is the host's disk per page"),
            (LAYER_S / T_VDISK, "that is the layer's share of the guest's busy time; a time per operation is asked for"),
            (LAYER_S / column("busy", "lambda_total"), "those are pages of another run"),
        ),
        note="Steps 2 to 8 of Figure 4 without step 6.",
    ),
    Choice(
        "contains",
        "The same data pass both disks. Why is the guest's disk busy for longer than the host's?",
        {
            "a": "The guest's disk is read at a lower rate of bytes per second.",
            "b": "The guest also counts operations that its page cache answers.",
            "c": "The guest counts from the request in the ring to the interrupt; the host's operation is inside that time.",
            "d": "The guest counts an operation two times, once when it starts and once when it ends.",
        },
        "c",
        {
            "a": "that is the effect in other words; where is the data during the rest of the time?",
            "b": "what the page cache answers never reaches the disk: io_ticks and the counters of operations do not see it",
            "d": "an operation is counted once, when it completes; io_ticks is a time, not a count",
        },
        note="So a model that adds R_vdisk and R_disk, as the paper does, has the host's disk in it two times.",
    ),
)  # fmt: skip

CPUS = (
    Question(
        "views",
        "The database: how many CPU seconds does the guest count for each that the host gave to its whole QEMU?",
        VIEWS,
        unit="1",
        slips=(
            (T_QEMU_DB - T_CPU_DB, "that is a difference in seconds; how many per second?"),
            (T_CPU_DB / (T_QEMU_DB / T_DB), "you divided a time by a utilization: take both times, or both per second"),
            (T_CPU_DB / T_DB / T_QEMU_DB, "you divided a utilization by a time: take both times, or both per second"),
            (T_DB / T_QEMU_DB, "that is all processes of the guest, or the whole window; MariaDB's CPU time alone is asked for"),
            (T_CPU_DB + T_QEMU_DB, "both count the same work: compare them, do not add them"),
            (T_DB / T_CPU_DB, "that is the window over the guest's CPU time; T is not needed here"),
            (T_QEMU_DB / T_CPU_DB, "upside down: that is what the host gave per second that the guest counts"),
            (T_CPU_DB / T_DB, "that is a utilization as the guest sees it: per second of the window"),
            (T_QEMU_DB / T_DB, "that is what the host gave per second of the window"),
            (apart(column("other", "T_cpu_s") / column("other", "T_qemu_s"), VIEWS), "that is the first server"),
            (column("database", "T_cpu_all_s") / T_QEMU_DB, "that is all processes of the guest, or the whole window; MariaDB's CPU time alone is asked for"),
            (T_CPU_DB - T_QEMU_DB, "that is the difference in seconds; how many per second?"),
            ((T_CPU_DB - T_QEMU_DB) / T_QEMU_DB, "that is the excess; the whole ratio is asked for"),
            ((T_CPU_DB - T_QEMU_DB) / T_CPU_DB, "that is the part that the guest counts and did not get"),
            (T_CPU_DB / (T_QEMU_DB + column("neighbour", "T_qemu_s")), "the other guest's QEMU is in there; it is another virtual machine"),
            ((T_CPU_DB - T_QEMU_DB) / T_DB, "that is the excess per second of the window; the ratio of both times is asked for"),
            (T_DB - T_QEMU_DB, "that is for how long QEMU did not run; compare the CPU times of both"),
            (1 - T_QEMU_DB / T_DB, "that is the share of the window in which QEMU did not run; compare the CPU times of both"),
            (T_CPU_DB / T_QEMU_DB / 2, "each guest has one virtual processor: do not divide by two"),
        ),
    ),
    Choice(
        "who_lies",
        "In the recorded study the guest counts more CPU time than its QEMU got. Why?",
        {
            "a": "The guest has two virtual processors, so it counts two seconds per second.",
            "b": "While the host runs something else, the guest stands still and its clock does not: its kernel takes the pause for computing.",
            "c": "The host does not count the time in guest mode.",
            "d": "MariaDB has many threads, and top adds up threads that wait.",
        },
        "b",
        {
            "a": "each guest has one virtual processor (`-smp 1` in QEMU's command line)",
            "c": "utime of the vCPU thread contains guest mode; and the recorded guests are emulated, without any guest mode",
            "d": "TIME+ grows only while a thread runs or seems to; waiting threads are not counted",
        },
        note="A steal clock would tell the guest; KVM has one, emulation (TCG) does not. For a guest's CPU time, take the host's number.",
    ),
    Question(
        "host_cost",
        "The web server at the low throughput: CPU time of the host per page, all of the guest's QEMU.",
        HOST_COST,
        slips=(
            (U * C, "you multiplied U by a count; U goes with the rate X, T_qemu with the count C"),
            (2 * R_CPU, "the guest's number tells nothing of the host's: take T_qemu"),
            (T_QEMU_DB / column("database", "lambda_total"), "that is the database's transaction on the other server"),
            (R_CPU * T_QEMU, "you multiplied a time by a time; divide T_qemu by the pages"),
            (U / C, "you divided U by a count; U goes with the rate X, T_qemu with the count C"),
            (T_QEMU - R_CPU * C, "that is what the guest does not see, of all pages; all of QEMU per page is asked for"),
            (U * X, "you multiplied; U = X D is solved by dividing"),
            (R_CPU, "that is what the guest counts for Apache; the host's QEMU is asked for"),
            (U, "those are CPUs, seconds per second; divide the CPU time by the pages"),
            (T_QEMU / X, "you divided a time by a rate; divide by the count C"),
            (T_QEMU / C - R_CPU, "that is what the guest does not see; all of QEMU is asked for"),
            (T_QEMU / C + R_CPU, "QEMU's CPU time contains the guest's: do not add them"),
            (U_BUSY / X_BUSY, "that is the other run, at the high throughput"),
            ((T_QEMU + column("web_neighbour", "T_qemu_s")) / C, "the idle database's QEMU is in there; the web server's alone is asked for"),
            (T_QEMU / C_VDISK, "that is per disk operation; per page is asked for"),
            (apart(column("web", "R_client_s"), R_CPU), "that is the client's response time"),
            (R_CPU * C, "that is the guest's CPU time of all pages"),
            (1 / X, "that is the time between two pages"),
            (U_BUSY / X, "take U and X of the same run"),
            (U / X_BUSY, "take U and X of the same run"),
            ((T_QEMU + T_VDISK) / C, "the disk's busy time is no CPU time: leave it out"),
            (T_QEMU / C / R_CPU, "that is how many times the guest's number it is; the time is asked for"),
            (HOST_COST / 2, "T_qemu is the CPU time on all CPUs of the host: do not divide by their number"),
        ),
        note="Is all of this the page's? The next two questions tell.",
    ),
    Question(
        "host_marginal",
        "The line U = b + X D through both throughputs: its slope D, the host's CPU time that one page more costs.",
        D,
        slips=(
            ((U_BUSY - U) / (column("busy", "lambda_total") - C), "you divided CPUs by a count; U is per second, and so is X"),
            ((U_BUSY - U) / C, "you divided CPUs by a count; U is per second, and so is X"),
            (X_BUSY - X, "that is ΔX alone; ΔU/ΔX is asked for"),
            (U_BUSY / (X_BUSY - X), "take the difference of both U, too: b is still in it"),
            ((U_BUSY - U) / U, "that is the relative increase of U; divide ΔU by ΔX"),
            (U / X - U_BUSY / X_BUSY, "subtract first, then divide: (U_busy − U)/(X_busy − X)"),
            ((U_BUSY - U) * (X_BUSY - X), "you multiplied; a slope is ΔU/ΔX"),
            ((U_BUSY / X_BUSY + U / X) / 2, "that is the mean of both U/X; b is still in it"),
            ((U_BUSY - U) / X, "divide by the difference of both throughputs, not by one of them"),
            (U_BUSY / X_BUSY, "that is U/X of the busy run: the background b is still in it"),
            (U / X, "that is U/X of the run at the low throughput: mostly background"),
            ((X_BUSY - X) / (U_BUSY - U), "upside down: a slope is ΔU/ΔX"),
            (U_BUSY - U, "that is ΔU alone; divide by ΔX"),
            ((U_BUSY - U) / X_BUSY, "divide by the difference of both throughputs, not by one of them"),
            ((U_BUSY - U) / (X_BUSY + X), "divide by the difference of the throughputs, not by their sum"),
            ((U_BUSY + U) / (X_BUSY + X), "that is a mean of both runs; a slope takes differences, in which b cancels"),
            (apart((column("busy", "T_qemu_s") - T_QEMU) / (column("busy", "lambda_total") - C), D), "those are seconds and counts, of runs of different lengths; take U and X, which are per second"),
            ((column("busy", "T_qemu_s") - T_QEMU) / (X_BUSY - X), "you divided CPU seconds by a rate; take U, which is per second as X is"),
            (apart(column("busy", "R_cpu_s"), D), "that is what the guest counts for Apache, in the busy run"),
            (R_CPU, "that is what the guest counts for Apache"),
            (U_BUSY / X_BUSY - U / X, "subtract first, then divide: (U_busy − U)/(X_busy − X)"),
        ),
    ),
    Question(
        "host_idle",
        "… and its intercept b: the CPUs that the guest costs the host without any request.",
        U - X * answer("host_marginal"),
        unit="1",
        needs=("host_marginal",),
        slips=(
            (B * X, "U − X D is in CPUs already: do not multiply by X"),
            (1 - U, "that is the part of a CPU that is left for others; b is a part of U"),
            (-1 * B / D, "that is where the line meets U = 0; b is U at X = 0"),
            (U - X * U_BUSY / X_BUSY, "D is the slope; U/X of the busy run has b in it"),
            (U_BUSY - X_BUSY * R_CPU, "that takes off what the guest counts; take off the host's D"),
            (U / X - D, "that is b/X, the idle guest's part of one page; b itself is asked for"),
            (U, "that is with the pages of the low throughput; take X D off"),
            (X * D, "that is the pages' part X D; the rest of U is asked for"),
            (U + X * D, "take X D off; b is what is left without pages"),
            (U - D, "D is per page; times X it is per second"),
            (U - X * R_CPU, "that takes off what the guest counts; take off the host's D"),
            (B * column("web", "T_s"), "those are CPU seconds of the whole window; b is per second, as U"),
            (U_BUSY - X * D, "take U and X of the same run"),
            (U - X_BUSY * D, "take U and X of the same run"),
            (U_BUSY, "that is the busy run, pages included"),
            (X_BUSY * D, "that is the pages' part of the busy run; b is the rest of its U"),
            (column("web_neighbour", "U_qemu"), "that is the other guest, which really was idle: a good comparison, but not this line"),
            (U_BUSY - U, "that is the difference of both runs, in which b cancels"),
            (B / U, "that is b as a share of U; b itself is asked for"),
            (0 * B, "U − X (U/X) is always 0: D is the slope, not the cost of a page at one throughput"),
            (U_BUSY - X_BUSY * HOST_COST, "D is the slope; the host's cost of a page at one throughput has b in it"),
            (1 - U_BUSY, "that is the part of a CPU that is left for others; b is a part of U"),
        ),
    ),
)  # fmt: skip

GUEST_MODE = (
    Question(
        "R_vcpu",
        "The host with KVM: guest mode per request, R_vcpu.",
        R_VCPU,
        slips=(
            ((USER - GUEST) / F / C_KVM, "that is utime without guest mode: QEMU's own code"),
            (GUEST * C_KVM / F, "divide by the requests, do not multiply"),
            ((GUEST - SYSTEM) / F / C_KVM, "the exits are not in guest_time: take nothing off"),
            (since_boot("guest"), "that is guest_time since boot; only its growth during the load counts"),
            (since_boot("guest") - R_VCPU, "that is guest_time before the load; take it off what it was after it"),
            (since_boot("guest") + since_boot("system"), "those are counters since boot, and stime is not guest mode"),
            (GUEST / F / X, "you divided by the rate of another run; divide by the requests"),
            (GUEST / F / C_KVM * KVM_SECONDS, "you divided by a rate; divide by the number of requests"),
            (GUEST / 250 / C_KVM, "a tick of /proc is 1/f seconds, whatever the kernel's own clock"),
            ((USER + GUEST) / F / C_KVM, "utime contains guest_time: do not add them"),
            ((USER + SYSTEM) / F / C_KVM, "that is the whole thread, R_vcpu + R_kvm; guest mode alone is asked for"),
            ((USER + SYSTEM + GUEST) / F / C_KVM, "utime contains guest_time, and stime is not guest mode"),
            (SYSTEM / F / C_KVM, "that is stime; guest mode is guest_time"),
            (GUEST / C_KVM, "those are ticks per request; a tick is 1/f seconds"),
            (GUEST / F, "those are seconds of the whole run; divide by the requests"),
            (GUEST * F / C_KVM, "a tick is 1/f seconds: divide by f"),
            (GUEST / F / C, "those are pages of another run"),
            (GUEST / F / KVM_SECONDS, "that is per second, a utilization; divide by the requests"),
            (GUEST / (USER + SYSTEM), "that is the share of guest mode in the thread's time"),
            (GUEST / 1000 / C_KVM, "a tick is not a millisecond; it is 1/f seconds"),
        ),
    ),
    Question(
        "R_kvm",
        "… and the host's own share of the vCPU thread per request, R_kvm: exits, in the kernel and in QEMU.",
        R_KVM,
        slips=(
            (EXITS / F / C, "those are pages of another run"),
            (HOST_COST - R_CPU, "that is the emulated web server of section 4; take the vCPU thread's ticks"),
            ((USER + GUEST - SYSTEM) / F / C_KVM, "take guest_time off and add stime"),
            (since_boot("system"), "that is stime since boot; only its growth during the load counts"),
            (since_boot("system") - SYSTEM / F / C_KVM, "that is stime before the load; take it off what it was after it"),
            (EXITS / F / C_KVM * KVM_SECONDS, "you divided by a rate; divide by the number of requests"),
            (EXITS / 250 / C_KVM, "a tick of /proc is 1/f seconds, whatever the kernel's own clock"),
            ((USER + SYSTEM) / F / C_KVM, "utime has guest_time in it: take it off"),
            ((USER - GUEST) / F / C_KVM, "utime − guest_time is QEMU's own part in user mode alone; the exits in the kernel are stime"),
            (GUEST / F / C_KVM, "that is guest mode, R_vcpu"),
            ((USER + SYSTEM + GUEST) / F / C_KVM, "take guest_time off, do not add it: utime contains it"),
            ((USER - GUEST - SYSTEM) / F / C_KVM, "stime is the host's, too: add it"),
            ((USER - SYSTEM) / F / C_KVM, "take guest_time off and add stime"),
            (EXITS / C_KVM, "those are ticks per request; a tick is 1/f seconds"),
            (EXITS / F, "those are seconds of the whole run; divide by the requests"),
            (EXITS / F / KVM_SECONDS, "that is per second, a utilization; divide by the requests"),
            (EXITS / (USER + SYSTEM), "that is the share of exits in the thread's time"),
            (EXITS / 1000 / C_KVM, "a tick is not a millisecond; it is 1/f seconds"),
            (HOST_COST - R_VCPU, "that takes two different runs together"),
        ),
    ),
)  # fmt: skip

LAST = (
    OpenQuestion(
        "unknown",
        "What can a guest not know about itself? Name two numbers that only the host has, and the file each stands in.",
        "How long its vCPU was not running (stime and utime of the vCPU thread in /proc/PID/task/TID/stat, against the "
        "window; steal where there is a steal clock); how long it was in guest mode (guest_time, field 43 of the same "
        "file); CPU time of QEMU's other threads; the busy time of the host's disk (/sys/block/*/stat on the host).",
    ),
    OpenQuestion(
        "unseen",
        "On the unseen host: does the guest of the database count more than it got? Say which number shows it, and why it is so there.",
        "The ratio views on that host. A simulated guest runs under KVM and alone on its CPU: it counts at most what "
        "its QEMU got, and the ratio is below 1, because QEMU's other threads and the exits are in the host's number.",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=5,
    name="05_inside_kvm",
    title="Inside KVM",
    opening="The guest says that its database used 99 s of CPU in two minutes. The host says that the whole virtual "
    "machine got 52. Who lies?",
    minutes=75,
    outcomes=(
        "Draw the way of a read from the application to the disk and back, and mark exits and entries.",
        "Split CPU time into guest mode, exits and QEMU's other threads.",
        "Tell what a guest cannot know about itself.",
    ),
    runs={
        "web": "first/web-005-a/web",
        "web_neighbour": "first/web-005-a/db",
        "busy": "first/web-110-even/web",
        "database": "second/db-16-a/db",
        "neighbour": "second/db-16-a/web",
        "other": "first/db-16-a/db",
    },
    quantities=QUANTITIES,
    questions=(*WHERE_IT_RUNS, *DISKS, *CPUS, *GUEST_MODE, *LAST),
    surprise="A guest counts 1.9 CPU seconds for each that it got; and at 5 pages per second a page costs the host 26 ms "
    "of CPU, of which the guest knows 7. Nearly all of the difference is the cost of an idle guest.",
    before_surprise="The guest's top says 7 ms per page. What will the host say: less, the same, or more? By how much?",
    stuck="Draw Figure 2 on the board and let the group say for each number in which box it is counted, and by whom.",
    books=(
        "Yang and Lan, *A Performance Evaluation Model for Virtual Servers in KVM-based Virtualized System*, sections "
        "III and IV: Figures 1 to 5; \"each data block only performs once VMExit\" leaves out the interrupt of step 8.",
        "Intel, *Software Developer's Manual*, volume 3C: VMX root and non-root operation, VM exits and their reasons, the VMCS.",
        "Russell, *virtio: towards a de-facto standard for virtual I/O devices*, ACM SIGOPS Operating Systems Review 42(5), "
        "2008: the ring, and why one notification may stand for many requests.",
        "Linux kernel, `Documentation/filesystems/proc.rst`: `/proc/PID/stat`; `guest_time` is contained in `utime`.",
        "Gregg, *Systems Performance*, chapter 11: hardware virtualization, its overhead, and what can be observed from the "
        "guest and from the host.",
    ),
    exam=(
        (
            "In one minute, top in a guest with one virtual processor counts 55 s for its server. The host counts 30 s for "
            "the guest's whole QEMU. How is that possible, and which of the two does a model of the host need?",
            "The guest stood still while its clock ran, and it has no steal clock: it took pauses for computing. A model of "
            "the host needs the 30 s.",
        ),
        (
            "QEMU of one guest needs 0.18 CPU at 10 requests per second and 0.63 CPU at 100. What does a request cost, what "
            "does the idle guest cost, and how many requests per second fit on one CPU?",
            "D = 0.45/90 = 5 ms; b = 0.18 − 0.05 = 0.13 CPU; (1 − 0.13)/0.005 = 174 per second.",
        ),
        (
            "Over 1,000 requests a vCPU thread's guest_time grew by 2,700 ticks, utime by 3,000 and stime by 400, at 100 "
            "ticks per second. R_vcpu and R_kvm?",
            "R_vcpu = 27 ms; R_kvm = (3,000 − 2,700 + 400)/100/1,000 = 7 ms.",
        ),
    ),
)  # fmt: skip
