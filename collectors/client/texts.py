"""What the client prints: progress, problems (also kept in run.json's notes), the plan's help."""

PLAN_HELP = """
the plan, a JSON file
  study, server, run   leave them out: they are the last parts of --out, data/raw/STUDY/SERVER/RUN
  accelerator          "kvm" or "tcg", where virtual servers run under QEMU
  interval_s           seconds between samples (1)
  before_s, after_s    seconds of idle baseline before the load (30), and of recording after the load (3)
  at_most_s            collectors end by themselves after this time, if the connection is lost (14400)
  reach_s              how long to retry a machine that does not answer at the end (60)
  most_mb              maximum size of what is fetched from one machine (16000)
  load_prefix          put before each load's command, ["taskset", "-c", "1"]
  roles                {"host": ROLE, "web": ROLE, "db": ROLE}; each has
      via              "ssh" or "local" (default: ssh if there is a destination)
      destination, ssh_options    "root@127.0.0.1", ["-p", "2201", "-i", "key"]
      remote_dir       where a temporary folder is made there (/var/tmp)
      hostname         recorded instead of the machine's own name
      only, tasks, devices, iotop, rotate   as in collect --help
      interval_s       if not the plan's
      prefix           put before the collector's command, ["taskset", "-c", "1"]
      logs             {"access.log": "/var/log/apache2/access.log"}: lines written during the run are fetched
  virtual_servers      as in run.json, without the times: {"web": {"role": "web", "workload":
                       {"kind": "open", "rate_per_s": 5.0, "arrivals": "even", "request": "HTTP request"},
                       "server_processes": REGEX, "qemu_process": REGEX, "virtual_disk": "vda",
                       "host_disk": "loop1"}}; one without a load is idle and has no workload
                       a closed workload: {"kind": "closed", "population": 16, "think_time_s": 0,
                       "request": "transaction"}
                       without QEMU: no qemu_process and no host_disk; without a disk: no virtual_disk;
                       a disk may be given by a path on it, "/var/lib/mysql"
                       REGEX, as `only`, `tasks` and `devices`: what Python and Rust have in common
  loads                {"web": {"command": ["httperf", ...], "log": "httperf.log", "timeout_s": 300}}
                       all started together, each named after its virtual server
      env              {"DB_PASSWORD": {"file": "db.password"}} or {"environment": "NAME"}: variables of the
                       command, read when it starts and never recorded; `${DB_PASSWORD}` in the command's
                       words is replaced by the value
  client               {"hostname": ALIAS}
  notes                ["..."]
  keep_sql             true: server logs are fetched with the numbers and strings of their statements and the
                       values in addresses' queries (false: `?` is written for each); passwords never are
  accept               ["web.server_processes"]: names of checks whose problem is accepted (it becomes a
                       note). A pattern must match a process when the recording starts; accept it where the
                       server's first process starts with the load. What is not there (a disk, a log, a
                       program, a machine) cannot be accepted.
Exit codes: 0 recorded (--check: no problem); 1 recorded, but a load failed or reports errors, a machine was
lost or something is missing (see the messages and run.json's notes); 2 nothing recorded; 130 interrupted:
what there was after the load's start is kept (with --discard: nothing).
"""
DESCRIPTION = "Record one experiment as a raw run."
PLAN_ARGUMENT_HELP = "the plan (not needed with --recover)"
OUT_HELP = "folder of the run, data/raw/STUDY/SERVER/RUN; must not exist"
DRY_RUN_HELP = "print what would run, check what can be checked on this machine, connect to none"
CHECK_HELP = "check the plan on all machines and print each check; record nothing"
RECOVER_HELP = (
    "stop and fetch what a recorder that died (kill -9, a crash) has left, and keep the run"
)
LOAD_HELP = "run only this load of the plan; may be given several times"
DISCARD_HELP = "keep nothing when interrupted"
NO_PLAN = "PLAN.json is missing"
NO_SUCH_LOAD = "--load: the plan has no load %r; it has: %s"

# progress; the testbed limits the guests' CPU from the first line of IDLE_BASELINE to FETCHING
IDLE_BASELINE = "idle baseline"
AFTER_LOAD = "after the load"
FETCHING = "fetching the logs"
TIME_LEFT = "%s: %.0f s left"
LOAD_RUNNING = "load %s: %.0f s"
CLOCK_OFFSET = "%s: clock offset %+.3f ms, uncertainty %.3f ms"
NOTE = "note: %s"
RECORDED = "recorded: %s"
RECORDED_WITH_ERRORS = "recorded with errors (see the notes): %s"
STUDY_WRITTEN = "written: %s (the study had none; add titles there)"
NEXT = "next: %s"

# errors that end the experiment
ERROR = "record_experiment: %s"
NOTHING_KEPT = "record_experiment: nothing recorded: %s: %s"
NOT_FINISHED = (
    "%s; the recording is kept in %s: when the reason is mended, collect it: "
    "record_experiment.py --recover --out %s"
)
INTERRUPTED = "record_experiment: interrupted; everything was stopped, nothing recorded"
NOT_RECORDED = "nothing was started; change what the problems above name, then try again"
NOTHING_TO_RECOVER = "%s: no dead recorder has left anything of this run"
NOT_A_STATE = "not the state of a recording"
STILL_RECORDING = "%s: its recorder is alive (pid %d); interrupt it instead: kill -INT it"
DIED_BEFORE_LOAD = "%s: the recorder died before the load; what it left was stopped and removed"
OUT_EXISTS = "%s exists already; choose a new folder, a raw run is never changed"
OUT_APPEARED = "%s was created by another program in the meantime; nothing recorded"
FILE_ERROR = "%s: %s"
NOT_JSON = "%s: not JSON: %s"
NOT_TEXT = "%s: has a NUL or half a character: %a"
UNKNOWN_KEY = "plan: unknown key %r"
UNSAFE_NAME = "plan: %s: use letters, digits, . _ - only: %r"
NAME_IS_NOT_FOLDER = (
    "plan: %s is %r, but the folder in --out is %r: leave %s out, the folder gives the %s"
)
UNKNOWN_KEY_IN = "plan: %s: unknown key %r"
REGEX_AT = "regular expression: character %d, %s: %s"
REGEX_WRITE = "write %s"
REGEX_LENGTH = "regular expression: has %d characters; at most %d can be used"
REGEX_FLAGS = "flags are (?i), (?m), (?s) and (?x), each once and at the beginning"
REGEX_REPEATED = "is repeated already: write a group around it, (?:...)"
REGEX_NO_ATOM = "there is nothing to repeat before it: write \\ before it for the character"
REGEX_NAME = "another group has this name: choose another one"
REGEX_DEPTH = "at most %d groups inside one another can be used"
REGEX_CLOSE = "no group is open: write \\) for the character"
REGEX_OPEN = "the group is not closed: write ) at its end, or \\( for the character"
REGEX_CLASS_OPEN = "the class is not closed: write ] at its end, or \\[ for the character"
REGEX_SIZE = "too large with all its repetitions: use smaller counts, or + and *"
REGEX_COUNT = "a count can be at most %d: use a smaller one, or + and *"
REGEX_COUNTS = "the smaller count comes first"
REGEX_RANGE = "the range is reversed: write \\- for the character"
REGEX_NOT_ASCII = "not ASCII: write a group around it, (?:...), to repeat it"
REGEX_NOT_ASCII_CLASS = "not ASCII: write alternatives instead of a class, (?:a|b)"
REGEX_OTHER = "cannot be used"
REGEX_HINTS = (
    (r"\\[Zz]", "write $"),
    (r"\\[1-9]|\(\?P=", "no back references: write the text again"),
    (r"\\0[0-7]*|\\x", r"write two hexadecimal digits, \x00 to \x7f"),
    (r"\\[<>]", "write the character without \\"),
    (r"\\[bBA]", "is no character of a class: leave it out"),
    (r"\\[pP]", "write the characters as a class, [A-Za-z]"),
    (r"\\[NuU]", "write the character itself"),
    (r"\\\Z", r"write \\ for the character"),
    (r"\\.", "no such escape: write the character without \\"),
    (r"\(\?<?[=!]", "no look-around: leave it out"),
    (r"\(\?(?:P?<|')", "write (?P<name>...) with a name of letters, digits and _"),
    (r"\(\?#", "no comments: leave it out"),
    (r"\(\?>", "no atomic groups: write (?:...)"),
    (r"\(\?\(", "no conditions: write alternatives, (?:a|b)"),
    (r"\(\?[A-Za-z-]+[:)]?", REGEX_FLAGS),
    (r"\(\?", r"write \(\? for the characters, or (?:...) for a group"),
    (r"\{", r"write \{ for the character, or a count as in a{2}, a{2,} or a{2,5}"),
    (r"\[:[a-z^]+:\]", "no POSIX classes: write the characters, as in [A-Za-z]"),
    (r"#", r"write \# for the character"),
)
"""What only one of the engines has, or reads in another way, and what to write instead."""
EMPTY_MATCH = "matches the empty text, and so every process"
NOT_A_REGEX = "not a regular expression: %s"
CLIENT_HOSTNAME = "plan: client: hostname: use letters, digits, . _ - only: %r"
ACCELERATOR = "plan: accelerator: must be kvm or tcg, not %r"
LOAD_ENV = (
    'plan: load %s: env: %s: must be a variable with {"file": PATH} or {"environment": NAME}; '
    "the secret itself is in no plan"
)
BOOLEAN = "plan: %s: must be true or false, not %r"
NUMBER = "plan: %s: not a valid number: %r"
STRING_LIST = "plan: %s: must be a list of strings"
OBJECT = "plan: %s: must be an object"
NO_ROLES = "plan: no roles: at least one is required"
ROLE_NAME = "plan: roles: %r cannot be a role's name"
ROLE_OBJECT = "plan: role %s: must be an object"
ROLE_UNKNOWN_KEY = "plan: role %s: unknown key %r"
ROLE_VIA = "plan: role %s: via must be ssh or local, not %r"
ROLE_NO_DESTINATION = "plan: role %s: via ssh requires a destination"
ROLE_DESTINATION = "plan: role %s: destination must not begin with -"
ROLE_STRING = "plan: role %s: %s: must be a string"
ROLE_NUMBER = "plan: role %s: %s: not a valid number: %r"
ROLE_STRING_LIST = "plan: role %s: %s: must be a list of strings"
ROLE_REGEX = "plan: role %s: %s: %s"
ROLE_IOTOP = "plan: role %s: iotop: must be one of %s, not %r"
ROLE_LOGS = "plan: role %s: logs: must be an object"
ROLE_LOG_NAME = "plan: role %s: a log cannot be named %r"
ROLE_LOG_PATH = "plan: role %s: logs: %s: must be an absolute path, not %r"
LOAD_NAME = "plan: loads: use letters, digits, . _ - only: %r"
LOAD_COMMAND = "plan: load %s: command must be a list of strings, not empty"
LOAD_LOG_NAME = "plan: load %s: a log cannot be named %r, or the name is used twice"
LOAD_SERVER = "plan: load %s: no virtual server of this name"
SERVER = "plan: virtual server %r: must be an object with a name of letters, digits, . _ -"
SERVER_ROLE = "plan: virtual server %s: role %r is not in roles"
SERVER_WORKLOAD = "plan: virtual server %s: has a load, but no workload"
SERVER_REGEX = "plan: virtual server %s: %s: %s"
SERVER_DISK = "plan: virtual server %s: %s: must be a disk as in /sys/block or a path on it, not %r"
SERVER_NO_HOST = "plan: virtual server %s: %s requires a role host"
NO_ACCELERATOR = (
    "plan: accelerator: must be kvm or tcg, because virtual server %s has a qemu_process"
)
LOAD_TIMEOUT = "plan: load %s: timeout_s: not a number above 0: %r"
WORKLOAD_KIND = "plan: %s: kind must be open or closed, not %r"
WORKLOAD_NEEDS = "plan: %s: an %s one needs %s"
WORKLOAD_OTHER_KEY = "plan: %s: %s does not belong to an %s one"
WORKLOAD_NUMBER = "plan: %s: %s: not a valid number: %r"
WORKLOAD_ARRIVALS = "plan: %s: arrivals must be even or poisson, not %r"
WORKLOAD_REQUEST = "plan: %s: request must be a string"
CANNOT_RUN = "%s: %s: %s"
TIMED_OUT = "%s: no answer within %d s to: %s"
UNREACHABLE = "%s: %s cannot be reached: %s"
SSH_FAILED = "ssh failed"
COMMAND_FAILED = "%s: %s: %s"
EXIT_CODE = "exit code %d"
NO_FOLDER = "cannot create a folder"
BAD_FOLDER_ANSWER = "%s: cannot create a folder: unexpected answer %r"
NOT_COPIED = "cannot copy the collectors"
NO_CLOCK = "%s: cannot read its clock"
NO_MARK = "%s: %s: cannot read its size"
NOT_STARTED = "%s: the collectors did not start: %s"
NO_RECORDING = "%s: the folder of its logs is missing: %s"

# problems; the run is kept and they go into run.json's notes
INCOMPLETE_START = "started, but some logs are missing"
MACHINE_LOST = "%s; its recording was not fetched"
MACHINE_PROBLEM = "%s: %s"
COLLECTOR_FAILED = "the collector failed: %s"
LOGS_INCOMPLETE = "the logs could not be fetched completely: %s"
LOGS_FAILED = "fetching the logs: %s"
SERVER_LOG_CUT = "%s: cut off after %d bytes (most_mb)"
SERVER_LOG_FAILED = "%s: %s"
NO_LOG = "%s: no %s.log"
LOG_PROBLEM = "%s/%s: %s"
NOT_COMPRESSED = "%s/%s: kept without compression: %s"
NOT_STOPPED = "%s: its collectors could not be stopped: %s"
NOT_CLEANED = "%s: its temporary files could not be removed: %s"
LOAD_FAILED = "load %s %s; see client/%s"
LOAD_NOT_STARTED = "cannot be started: %s: %s"
LOAD_INTERRUPTED = "was ended by the interruption"
LOAD_STOPPED = "was still running without its recorder and was ended"
LOAD_END_ESTIMATED = "has ended without its recorder: its end is the time of its log's last change"
INTERRUPTED_NOTE = "interrupted after %.0f s of load"
RECOVERED_NOTE = "the recorder died; the run was collected by --recover"
LOAD_TIMED_OUT = "took longer than %g s and was ended"
LOAD_EXIT_CODE = "ended with code %d"

# written into a log as its last #GAP line: part of the recorded format
GAP_COLLECTOR_DIED = "the collector died: nothing was recorded after this"
GAP_LINE_REMOVED = ", and %d bytes of a line that had no end were left out"

# why a member of a machine's archive was refused
NOT_AN_ARCHIVE = "not an archive of a recording (%s)"
ARCHIVE_TRUNCATED = "the archive is truncated"
ARCHIVE_TOO_LARGE = "%s has %d bytes, which exceeds the limit for all files"
REFUSED = "%s was refused: %s"
MORE_REFUSED = "%d more were refused"
NOT_REGULAR = "not a regular file"
NOT_OF_A_RECORDING = "not a file of a recording"
DUPLICATE = "duplicate name"
TOO_MANY_FILES = "more than %d files"
TOO_LARGE = "larger than %d bytes"

# --dry-run
DRY_RUN = "run %(study)s/%(server)s/%(run)s"
DRY_LOCAL = "on this machine"
DRY_SSH = "at %s"
DRY_SSH_OPTIONS = " (ssh %s)"
DRY_ROLE = "%s, %s:"
DRY_LOG = "  %s: what is written to %s during the run"
DRY_BASELINE = "idle baseline: %g s"
DRY_LOAD = "load %s: %s > client/%s"
DRY_AFTER = "after the load: %g s"

# --check: name, state, and one of these
PLAN_OF = "run %s/%s/%s"
CHECKED = "checked: ok %d, notes %d, problems %d"
ACCEPTED = "accepted by the plan: %s"
HOW_TO_ACCEPT = '. If that is right: "accept": ["%s"] in the plan'
NOT_ACCEPTABLE = "%r is not the name of a check that can be accepted"
OUT_ABANDONED = (
    "%s is of a recorder that died; collect it first: record_experiment.py --recover --out %s"
)
NOT_A_FOLDER = "not a folder"
NOT_WRITABLE = "no permission to create a folder there"
NOT_CHECKED = "cannot be checked"
NO_LOADS = "no load: nothing would be measured; name at least one in the plan"
NO_PROGRAM = "%s is not installed on the client; run: apt install %s"
BAD_PREFIX = "load_prefix: %s true: %s"
NOT_COMPARED = (
    "not compared with the load's command: only httperf's and sysbench's options are known"
)
TIMEOUT_TOO_SHORT = "timeout_s is %g, but the command takes %g s"
AT_MOST_TOO_SHORT = (
    "the collectors end by themselves after %g s, but the recording takes %g s: raise at_most_s"
)
UNKNOWN_CLIENT_LOG = "log %s: the pipeline reads httperf.log, sysbench.log, httperf-NAME.log and sysbench-NAME.log only"
OPEN_LOAD = "open, %g per second"
CLOSED_LOAD = "closed, %d clients, think time %g s"
IDLE_SERVER = "no load: it is idle in this run"
MISSING_KEYS = {
    "server_processes": "not given: no CPU demand of the server's processes",
    "qemu_process": "not given: nothing of the host is assigned to it",
    "virtual_disk": "not given: no numbers of its disk",
    "host_disk": "not given: no numbers of the host's disk",
}
HOW_TO_LOG = (
    ". Switch this log on in the server, or change the path in the plan: roles.%s.logs, key %s"
)
NO_SERVER_LOG = "role %s has no %s under logs: queuevisor runs will call it missing"
REACHED = "%s, Python %s"
CLOCK = "offset %+.3f ms, uncertainty %.3f ms"
CLOCK_TOO_FAR = ": more than %g s (5 %% of the load); set its clock, for example by chrony"
CLOCK_CORRECTED = ": times are corrected by it; better run chrony on both"
TOP_MISSING = "top is not installed; run there: apt install procps"
NO_RIGHTS = "may not read /proc/PID/io of %s; record as root, or as the processes' user"
IS_ROOT = "root"
HAS_NET_ADMIN = "not root, but CAP_NET_ADMIN"
NOT_ROOT = "not root: iotop.log is read from /proc"
DELAYS_OFF = (
    "delay accounting is off: it is on during the recording. Tasks that started before have no delays;"
    " to have them: sysctl -w kernel.task_delayacct=1, then restart the servers"
)
DELAYS_STAY_OFF = "delay accounting is off, and only root can switch it on: no delays"
MATCH = "%d %s: %s"
MATCHES = "%r matches %d:"
MORE = "and %d more"
NO_MATCH = "no process matches %r; list them: ps -e -o pid,comm,args"
LEFT_OUT = "role %s has %s %r, which leaves these processes out of the recording"
SEVERAL_MACHINES = "%d virtual machines or other processes match %r: narrow it to one"
ONE_MACHINE = "%s: one machine (the same boot id)"
NO_COMPARISON = ". Nothing of a guest is compared with the host"
NO_DISK = "no disk %s in /sys/block of %s; there are: %s"
DISK_LEFT_OUT = "disk %s is left out by role %s: devices is %r"
DISK_OF = "%s, on which %s of %s lies"
NO_PATH = "no such file or folder: %s on %s"
NO_DISK_OF = "no disk of /sys/block holds %s of %s: no numbers of its disk"
DISK = "%s in /sys/block of %s"
ACCELERATOR_UNKNOWN = "%s, not compared: the open files of QEMU cannot be listed"
KVM_IN_USE = "the plan says %s, but QEMU has opened /dev/kvm"
KVM_NOT_IN_USE = "the plan says %s, but QEMU has not opened /dev/kvm"
SPACE = "%.0f MB free, about %.0f MB needed"
NO_SPACE = "%.0f MB free, but about %.0f MB needed; use only, tasks, a longer interval_s, or another folder"
BAD_CHECK_ANSWER = "%s: unexpected answer to the check"

# a load's command line against its workload
SYSBENCH_DOES_NOT_RUN = "sysbench's command is %r, not run"
OTHER_KIND = "the plan says %s, but %s's options make a load that is %s"
OTHER_VALUE = "the plan's %s is %s, but by %s's options it is %s"
OTHER_ARRIVALS = "neither even nor poisson (leave it out)"

# errors in a load generator's report
REPORT_ERRORS = "reports errors: %s"
SYSBENCH_ERRORS = {
    "ignored errors": "reports %d ignored errors: transactions rolled back, as after a deadlock, and repeated",
    "reconnects": "reports %d reconnects",
}
FEWER_REPLIES = "reports %d replies to %d requests"
BAD_STATUS = "reports %d replies with status 4xx and %d with 5xx"
SENT_THREADS = "ran %d threads, but the plan's population is %d"
SENT_RATE = "sent %g requests per second, but the plan's rate_per_s is %g"

# study.json
STUDY_NAME = "%s: study is %r, the run's is %r"
NO_VARIABLE = "the environment has no variable %s; export it before the recording"
NO_SECRET = "must be a regular file that holds one secret of at most 64 KiB"
SECRET_IS_READABLE = "%s can be read by others; chmod 600 it"
SECRET_IN_COMMAND = (
    "a password or key is in the command (recorded as [redacted]); keep it in a file or a variable, and name that "
    'in "env" (see --help)'
)
STUDY_DROPS_SQL = (
    '%s: "keep_sql": true is missing; the tables of its runs hold statements without their values'
)
STUDY_LACKS = "%s: %s does not list %s, which the run has"
