"""Lesson 1: where a request's time goes: time used and time spent, an open and a closed load."""

from __future__ import annotations

from pipeline.course.formula import Formula, answer, column, given
from pipeline.course.lessons.httperf_report import (
    client_cpu_time,
    connection_time,
    reply_time_slips,
)
from pipeline.course.question import (
    Choice,
    Lesson,
    OpenQuestion,
    Prediction,
    Quantity,
    Question,
    Slip,
)

QUIET, BUSY, CLOSED = "quiet", "busy", "closed"

T, C, T_CPU = given("T"), given("C"), given("T_cpu")
C_BUSY, T_CPU_BUSY = given("C_busy"), given("T_cpu_busy")
N_DB, X_DB = given("N_db"), given("X_db")
R_PAPER, R_PAPER_DB = given("R_paper"), given("R_paper_db")
R_PAGE, R_CPU, R_DB = map(answer, ("R_page", "R_cpu", "R_db"))
R_BUSY = given("R_busy")
R_CPU_BUSY = T_CPU_BUSY / C_BUSY
CLIENT_USER, CLIENT_SYSTEM = client_cpu_time("user", QUIET), client_cpu_time("system", QUIET)
CLIENT_CPU = (
    "that is the CPU time of the client, httperf, from its report; the web server's is T_cpu"
)


def _cpu_share_slips(role: str, cpu: Formula, client: Formula) -> tuple[Slip, ...]:
    """Wrong shares of the CPU in the user's time in one run."""
    return (
        (1 - cpu / client, "that is the share that is not CPU time"),
        (client / cpu, "upside down: CPU time over the user's time"),
        (
            cpu * column(role, "X_per_s"),
            "that is the share of the run in which the CPU was busy, a utilization; divide by the user's time",
        ),
        (
            cpu / column(role, "response_s"),
            "you divided by the response alone; the user also waits for the transfer",
        ),
        (
            cpu / column(role, "R_median_s"),
            "you divided by the median; take the mean, as for the CPU time",
        ),
        (client - cpu, "that is the time that is not CPU time; a share is asked for"),
        (
            (client - cpu) / cpu,
            "that is the rest relative to the CPU time; CPU time over the user's time is asked for",
        ),
        (cpu + client, "you added; a share is a quotient"),
        (cpu / client - 1, "that is the relative difference; the share is 1 more"),
        (cpu, "that is the CPU time itself; divide it by the user's time"),
        (
            cpu / (cpu + client),
            "the CPU time is a part of the user's time already: do not add it to the divisor",
        ),
        (
            cpu * column(role, "X_per_s") / client,
            "you divided the utilization by the user's time; divide the CPU time of one request",
        ),
        (
            cpu / (client - cpu),
            "that is CPU time relative to the rest; divide by the whole of the user's time",
        ),
        (
            cpu / column(role, "transfer_s"),
            "you divided by the transfer alone; divide by the whole reply time",
        ),
    )


QUANTITIES = (
    Quantity("T", column(QUIET, "T_s"), "s", "quiet run: length of the load"),
    Quantity("C", column(QUIET, "lambda_total"), "1", "quiet run: requests answered"),
    Quantity("T_cpu", column(QUIET, "T_cpu_s"), "s", "quiet run: CPU time of all processes of the web server"),
    Quantity("R_paper", column(QUIET, "R_as_printed_s"), "s", "quiet run: response time, paper's equations"),
    Quantity("C_busy", column(BUSY, "lambda_total"), "1", "busy run: requests answered"),
    Quantity("T_cpu_busy", column(BUSY, "T_cpu_s"), "s", "busy run: CPU time of all processes of the web server"),
    Quantity("R_busy", column(BUSY, "R_client_s"), "s", "busy run: mean reply time, measured by the client"),
    Quantity("X_busy", column(BUSY, "X_per_s"), "1/s", "busy run: requests per second"),
    Quantity("N_db", column(CLOSED, "threads"), "1", "database: threads of the client, without pause"),
    Quantity("X_db", column(CLOSED, "X_per_s"), "1/s", "database: transactions completed per second"),
    Quantity("R_paper_db", column(CLOSED, "R_as_printed_s"), "s", "database: response time, paper's equations"),
)  # fmt: skip

QUESTIONS = (
    Prediction(
        "R_transaction",
        "The paper's equations say R_paper_db for a transaction of the database. What will the client have measured?",
        unit="s",
        right=column(CLOSED, "R_client_s"),
    ),
    Question(
        "R_page",
        "Quiet run: how long did a user wait for a page, on the mean, from the request to its last byte?",
        column(QUIET, "R_client_s"),
        slips=(
            *reply_time_slips(QUIET),
            (column(BUSY, "R_client_s"), "that is the busy run; the quiet one is asked for"),
            (column(QUIET, "R_sd_s"), "that is the standard deviation; a mean is asked for"),
        ),
        note="This is the response time: service and waiting at every part of the system.",
    ),
    Question(
        "R_cpu",
        "Quiet run: the CPU time that the web server used for one request.",
        T_CPU / C,
        slips=(
            (T_CPU / T, "you divided by the seconds: that is a utilization; divide by the number of requests"),
            (T_CPU / column(QUIET, "X_per_s"), "you divided by the rate of requests; divide by their number"),
            (T_CPU / column(QUIET, "rate_per_s"), "you divided by the rate of requests; divide by their number"),
            (
                column(QUIET, "T_cpu_boot_s") / C,
                "that is all TIME+ since the processes started; subtract what each had before the load",
            ),
            (
                T_CPU / column(QUIET, "server_process_count") / C,
                "that is one mean process; all of them worked for the requests",
            ),
            (column(QUIET, "T_cpu_all_s") / C, "that is every process of the guest; only the web server's count"),
            (T_CPU, "that is the CPU time of all requests; divide it by their number"),
            (C / T_CPU, "upside down: those are requests per second of CPU time"),
            (T_CPU / C_BUSY, "you divided by the requests of the busy run"),
            (T_CPU / (C + C_BUSY), "you divided by the requests of both runs; the quiet run's are enough"),
            (CLIENT_USER / C, CLIENT_CPU),
            (CLIENT_SYSTEM / C, CLIENT_CPU),
            ((CLIENT_USER + CLIENT_SYSTEM) / C, CLIENT_CPU),
            (T_CPU_BUSY / C, "you took the CPU time of the busy run"),
            (R_CPU_BUSY, "that is the busy run; the quiet one is asked for"),
            (T / C, "that is the time between two requests; divide the CPU time"),
            (T_CPU * C, "you multiplied; the CPU time of one request is that of all over their number"),
            (R_PAGE, "that is what the user waited; the CPU works for a part of it only"),
            (
                T_CPU / T * R_PAGE,
                "you took the CPU's share of the run; a request uses T_cpu/C, whatever the user waits",
            ),
            ((T_CPU + T_CPU_BUSY) / (C + C_BUSY), "that is both runs together; the quiet one is asked for"),
            (T_CPU / C / T, "you divided by the requests and by the seconds; the requests are enough"),
            (
                T_CPU / column(QUIET, "server_process_count"),
                "that is the CPU time of one process; divide by the number of requests",
            ),
            ((T - T_CPU) / C, "that is the time per request in which the CPU is idle"),
            (T_CPU_BUSY / T, "you mixed the runs, and divided by the seconds in place of the requests"),
            (R_PAGE - T_CPU / C, "that is the rest of the user's time; the CPU time is asked for"),
        ),
        note="The paper's equations (1) and (2). This is time used: a service demand, without any waiting.",
    ),
    Question(
        "cpu_share",
        "Quiet run: which share of the user's time is CPU time?",
        R_CPU / R_PAGE,
        unit="1",
        needs=("R_cpu", "R_page"),
        slips=(
            *_cpu_share_slips(QUIET, R_CPU, R_PAGE),
            (R_CPU / R_BUSY, "you divided by the user's time of the busy run"),
            (R_CPU_BUSY / R_BUSY, "that is the busy run; the quiet one is asked for"),
        ),
    ),
    Question(
        "stretch",
        "By which factor did the user's time grow from the quiet run to the busy one?",
        R_BUSY / R_PAGE,
        unit="1",
        needs=("R_page",),
        slips=(
            (R_CPU_BUSY / R_CPU, "that is the factor of the CPU time; the user's time is asked for"),
            (R_PAGE / R_BUSY, "upside down: the busy run over the quiet one"),
            (
                column(BUSY, "X_per_s") / column(QUIET, "X_per_s"),
                "that is how much the rate grew; the user's time is asked for",
            ),
            (
                column(BUSY, "rate_per_s") / column(QUIET, "rate_per_s"),
                "that is how much the rate grew; the user's time is asked for",
            ),
            (C_BUSY / C, "that is how much the number of requests grew; the user's time is asked for"),
            (R_BUSY / R_PAGE - 1, "that is the growth relative to the quiet run; the factor is 1 more"),
            (R_BUSY - R_PAGE, "that is the difference; a factor is asked for"),
            (
                1 - R_PAGE / R_BUSY,
                "that is the growth relative to the busy run; divide the busy time by the quiet one",
            ),
            (
                column(BUSY, "response_s") / column(QUIET, "response_s"),
                "that is from the response alone; the user also waits for the transfer",
            ),
            (
                column(BUSY, "R_median_s") / column(QUIET, "R_median_s"),
                "that is from the medians; means are asked for",
            ),
            (
                answer("cpu_share") / answer("cpu_share_busy"),
                "that compares the shares of the CPU; compare the user's times",
            ),
            (
                R_BUSY / column(QUIET, "response_s"),
                "you divided by the quiet run's response alone; add its transfer",
            ),
            (column(BUSY, "response_s") / R_PAGE, "you took the busy run's response alone; add its transfer"),
            (
                column(BUSY, "transfer_s") / column(QUIET, "transfer_s"),
                "that is from the transfers alone; take response and transfer",
            ),
            (
                connection_time("max", BUSY) / connection_time("max", QUIET),
                "that compares the longest connections; means are asked for",
            ),
            (R_BUSY / R_CPU, "you divided by the CPU time; divide by the user's time of the quiet run"),
            (T_CPU_BUSY / T_CPU, "that is how much the CPU time of all requests grew"),
            (R_BUSY, "that is the busy run's time; divide it by the quiet run's"),
            (R_BUSY / R_CPU_BUSY, "that compares the user's time with the CPU time; compare the two runs"),
            (
                R_BUSY * column(BUSY, "X_per_s") / (R_PAGE * column(QUIET, "X_per_s")),
                "that compares the numbers of requests in the system; compare the user's times",
            ),
            (R_BUSY * column(BUSY, "X_per_s"), "that is the number of requests in the system in the busy run"),
        ),
    ),
    Question(
        "cpu_share_busy",
        "Busy run: which share of the user's time is CPU time there?",
        R_CPU_BUSY / R_BUSY,
        unit="1",
        slips=(
            *_cpu_share_slips(BUSY, R_CPU_BUSY, R_BUSY),
            (R_CPU / R_BUSY, "that is with the CPU time of the quiet run; take this run's own"),
            (R_CPU_BUSY / R_PAGE, "that is with the user's time of the quiet run; take this run's own"),
            (T_CPU_BUSY / C / R_BUSY, "you divided the CPU time by the requests of the quiet run"),
            (answer("cpu_share"), "that is the share in the quiet run"),
            (T_CPU_BUSY / T, "that is CPU time over the length of the quiet run; divide by requests and user's time"),
            (R_CPU_BUSY / R_CPU, "that compares the CPU times of the two runs; divide by the user's time"),
            (R_PAGE / R_BUSY, "that compares the user's times of the two runs; CPU time over it is asked for"),
            (T_CPU / C_BUSY / R_BUSY, "you took the CPU time of the quiet run"),
            (T_CPU_BUSY / T / R_BUSY, "you divided by the seconds of the quiet run; divide by the requests"),
        ),
        note="The time used at the CPU is not what grew: it is the time in which a request is not served.",
    ),
    Choice(
        "open_closed",
        "httperf sends its requests at a given rate. A thread of sysbench starts a transaction when its last one has "
        "ended. The server becomes twice as slow: which of the two loads then sends fewer requests per second?",
        {
            "a": "httperf's, an open load",
            "b": "sysbench's, a closed load",
            "c": "both",
            "d": "neither: the clients are the same",
        },
        "b",
        {
            "a": "an open load sends at its own rate, whatever the server does; the requests pile up instead",
            "c": "httperf does not wait for a reply before it sends the next request",
            "d": "each thread of sysbench waits for its reply, so a slow server slows the client down",
        },
        note="In a closed load the number of requests in the system is fixed; in an open load the rate is.",
    ),
    Question(
        "R_db",
        "Database: N_db threads work without pause and X_db transactions end per second. How long does one take?",
        N_DB / X_DB,
        tolerance=0.01,
        slips=(
            (1 / X_DB, "that is the time between two completions; N_db transactions are at work at the same time"),
            (N_DB * X_DB, "you multiplied: threads times transactions per second is no time"),
            (X_DB / N_DB, "upside down: that is the rate of one thread; its reciprocal is the time"),
            (column(CLOSED, "R_cpu_s"), "that is the CPU time of a transaction; most of its time is waiting"),
            (
                R_PAPER_DB,
                "that is what the paper's equations say; with N_db inside at any time, N/X is what it takes",
            ),
            (column(CLOSED, "R_sum_s"), "that is the sum of the paper's residence times; N/X is what it takes"),
            ((N_DB - 1) / X_DB, "that is the time for the other threads only; all N_db count"),
            (
                column(CLOSED, "T_s") / N_DB,
                "you divided the length of the run by the threads; each thread makes many transactions",
            ),
            (
                column(CLOSED, "N_vdisk") / X_DB,
                "you took the number in the disk; all N_db transactions are in the system",
            ),
            (N_DB / X_DB - R_PAPER_DB, "that is what the paper's equations leave out; the whole time is asked for"),
            (N_DB / X_DB + R_PAPER_DB, "N/X is the whole time already: do not add the paper's"),
            (1 / X_DB / N_DB, "you divided by the threads; a transaction lasts N times the time between completions"),
            (R_PAPER_DB * X_DB, "that is the number in the system by the paper's equations; a time is asked for"),
            (
                N_DB * column(CLOSED, "R_cpu_s"),
                "that is N times the CPU time, as if all waited for the CPU and for nothing else",
            ),
            (column(CLOSED, "R_nested_s"), "that is a sum of the paper's residence times; N/X is what it takes"),
            (N_DB / given("X_busy"), "you took the rate of the web server; X_db is the database's"),
            ((N_DB + 1) / X_DB, "N_db threads are at work, not one more"),
            (1000 * column(CLOSED, "R_client_s"), "that is in milliseconds; the answer is in seconds"),
            (N_DB / X_DB / 60, "that is in minutes; the answer is in seconds"),
            (R_PAPER_DB / N_DB, "you divided the paper's time by the threads; take N/X, which needs no model"),
        ),
        note="Little's law, R = N/X: lesson 2. The client measured the same, within 1 %.",
    ),
    Question(
        "share_paper",
        "Database: R_paper_db is which share of R_db, the time that a transaction takes?",
        R_PAPER_DB / R_DB,
        unit="1",
        tolerance=0.01,
        needs=("R_db",),
        slips=(
            (1 - R_PAPER_DB / R_DB, "that is the share that they leave out"),
            (R_DB / R_PAPER_DB, "upside down: the equations' time over the real one"),
            (R_DB - R_PAPER_DB, "that is the time that they leave out; a share is asked for"),
            (R_PAPER_DB / R_DB - 1, "that is the relative error; the share is 1 more"),
            (R_PAPER / R_DB, "you took the equations' time of the web server"),
            (R_PAPER_DB / R_PAGE, "you divided by the time of a page; divide by that of a transaction"),
            (R_PAPER_DB / N_DB, "you divided by the number of threads; divide by the time of a transaction"),
            (column(CLOSED, "R_cpu_s") / R_DB, "that is the share of the CPU time; the equations add the disks"),
            (R_PAPER_DB, "that is the equations' time itself; divide it by the time of a transaction"),
            (
                R_PAPER_DB / (R_DB - R_PAPER_DB),
                "that is relative to what they leave out; relative to the whole time is asked for",
            ),
            (R_PAPER / R_PAGE, "that is the quiet run; the database's is asked for"),
            (R_PAPER / R_PAPER_DB, "that compares the equations' times of two runs; divide by R_db"),
            (R_PAPER_DB / (R_DB + R_PAPER_DB), "the part is in the whole already: do not add it to the divisor"),
            (R_DB / R_PAPER_DB - 1, "that is what they leave out, relative to what they account for"),
            (1 / N_DB, "that is one thread of N; divide the equations' time by the time of a transaction"),
            (R_PAPER_DB * X_DB, "that is the number in the system by the equations; divide R_paper_db by R_db"),
            (R_PAPER_DB * N_DB, "that is the equations' time for N transactions in a row; divide by R_db"),
            (R_PAPER_DB / R_BUSY, "you divided by the time of a page; divide by that of a transaction"),
            (column(CLOSED, "R_nested_s") / R_DB, "that is another variant of the equations; take R_paper_db"),
            (column(CLOSED, "R_sum_s") / R_DB, "that is another variant of the equations; take R_paper_db"),
        ),
    ),
    OpenQuestion(
        "which_run",
        "Which of the two runs, the quiet one of the web server or the one of the database, tests the paper's "
        "equations, and why?",
        "The database's. In the quiet run hardly any request meets another, so that almost any sum of times used comes "
        "near the time spent: agreement there says little about queueing, which is what the equations (10) are about. "
        "A load that keeps many requests in the system tests it, and there the equations miss nearly everything. One "
        "run in which a formula is right proves little; a run in which it could have failed and did not would count.",
    ),
    OpenQuestion(
        "unseen",
        "On your host: how far are the paper's equations from the client in the quiet run and in the database's run?",
        "In the quiet run the equations come near the client, since hardly any request waits; in the database's run "
        "they account for a small part of N/X. A closed load with many threads makes every formula of an open queue "
        "fail.",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=1,
    name="01_where_does_time_go",
    title="Where does a request's time go?",
    opening="A page took 11 ms. Its program used the CPU for two thirds of them. Where was the rest? And why does the "
    "same page take more than twice as long when more people ask for it, although it then needs less of the CPU?",
    minutes=45,
    outcomes=(
        "Read a client's report and say what a user waited for.",
        "Distinguish time used from time spent, a count from a rate, an open load from a closed one.",
        "Explain why a formula that is right on one run proves little.",
    ),
    runs={QUIET: "first/web-005-a/web", BUSY: "first/web-110-poisson-3/web", CLOSED: "first/db-16-a/db"},
    families={
        "loads": (
            "first/web-005-a/web", "first/web-020-poisson/web", "first/web-050-even/web",
            "first/web-080-poisson/web", "first/web-110-even/web", "first/web-110-poisson-3/web",
            "first/web-140-even/web", "first/web-140-poisson-2/web", "first/db-01-sweep-7/db",
            "first/db-02-sweep-7/db", "first/db-04-sweep-7/db", "first/db-08-sweep-7/db",
            "first/db-16-a/db", "first/db-32-sweep-7/db",
        )
    },
    quantities=QUANTITIES,
    questions=QUESTIONS,
    books=(
        "Gregg, *Systems Performance*, 2nd edition (2020), chapter 2: latency as the first number to look at; the USE "
        "method (utilization, saturation and errors of every resource).",
        "Lazowska, Zahorjan, Graham and Sevcik, *Quantitative System Performance* (1984), chapter 1: what a queueing "
        "network model is for; *residence time* is the time spent, *service demand* the time used.",
        "Jain, *The Art of Computer Systems Performance Analysis* (1991), chapters 2 and 3: common mistakes, and the "
        "choice of metrics.",
        "Schroeder, Wierman and Harchol-Balter, *Open Versus Closed: A Cautionary Tale* (NSDI 2006): the same server "
        "under an open and under a closed load.",
        "Huber, von Quast, Brosig and Kounev (2010), which the paper builds on: factors of performance in virtual "
        "systems (Figure 1).",
    ),
    exam=(
        (
            "In 100 s a server answered 2,000 requests and its processes used 12 s of CPU time. A user waited 25 ms on "
            "the mean. Which share of the wait is CPU time? How busy was the CPU?",
            "CPU time per request = 12 s / 2000 = 6 ms; share = 6/25 = 24 %. Utilization = 12 s / 100 s = 12 %.",
        ),
        (
            "Under which load, open or closed, can the number of requests in a system grow without limit, and why?",
            "Under an open one: requests keep coming at their rate although earlier ones have not left. In a closed "
            "load at most as many requests are in the system as there are clients.",
        ),
        (
            "A model predicts 10.7 ms and the client measured 10.7 ms in one run at a utilization of 4 %. What does "
            "that say about the model's treatment of queueing?",
            "Next to nothing: at 4 % hardly any request waits, so that a model without queueing, or with a wrong one, "
            "would give nearly the same. Errors may also cancel. Test it where requests wait.",
        ),
    ),
    surprise="The paper's equations meet the client of the quiet run within 0.1 %, and account for 6 % of a "
    "transaction's time in the database run.",
    before_surprise="The equations are right on the quiet run to three figures. Would you use them for the database?",
    stuck="Draw one request as a line of time and let the group mark the part in which the CPU works for it: what is "
    "the rest of the line?",
)  # fmt: skip
