"""What the client prints: progress, problems (also kept in run.json's notes), the plan's help."""

PLAN_HELP = """
the plan, a JSON file
  study, server, run   names; letters, digits, . _ - only (run: default is the last part of --out)
  accelerator          "kvm" or "tcg"
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
                       {"kind": "open", "rate_per_s": 5.0, "arrivals": "even", "request": "..."},
                       "server_processes": REGEX, "qemu_process": REGEX, "virtual_disk": "vda",
                       "host_disk": "loop1"}}; one without a load is idle and has no workload
  loads                {"web": {"command": ["httperf", ...], "log": "httperf.log", "timeout_s": 300}}
                       all started together, each named after its virtual server
  client               {"hostname": ALIAS}
  notes                ["..."]
Exit codes: 0 recorded; 1 recorded, but a load failed, a machine was lost or something is missing (see the
messages and run.json's notes); 2 nothing recorded; 130 interrupted, nothing recorded.
"""
DESCRIPTION = "Record one experiment as a raw run."
OUT_HELP = "folder of the run, data/raw/STUDY/SERVER/RUN; must not exist"
DRY_RUN_HELP = "print what would run, and run nothing"

# progress; the testbed limits the guests' CPU from the first line of IDLE_BASELINE to FETCHING
IDLE_BASELINE = "idle baseline"
AFTER_LOAD = "after the load"
FETCHING = "fetching the logs"
TIME_LEFT = "%s: %.0f s left"
LOAD_RUNNING = "load %s: %.0f s"
CLOCK_OFFSET = "%s: clock offset %+.3f ms, uncertainty %.3f ms"
NOTE = "note: %s"
RECORDED = "recorded: %s"

# errors that end the experiment
ERROR = "record_experiment: %s"
NOTHING_KEPT = "record_experiment: nothing recorded: %s: %s"
INTERRUPTED = "record_experiment: interrupted; everything was stopped, nothing recorded"
OUT_EXISTS = "%s exists already; choose a new folder, a raw run is never changed"
OUT_APPEARED = "%s was created by another program in the meantime; nothing recorded"
FILE_ERROR = "%s: %s"
NOT_JSON = "%s: not JSON: %s"
NOT_AN_OBJECT = "%s: not a plan: a JSON object is expected"
UNKNOWN_KEY = "plan: unknown key %r"
UNSAFE_NAME = "plan: %s: use letters, digits, . _ - only: %r"
RUN_IS_NOT_FOLDER = "plan: run is %r, but the folder of --out is %r"
ACCELERATOR = "plan: accelerator: must be kvm or tcg, not %r"
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
ROLE_STRING_LIST = "plan: role %s: %s: must be a list of strings"
ROLE_REGEX = "plan: role %s: %s: not a regular expression: %s"
ROLE_LOGS = "plan: role %s: logs: must be an object"
ROLE_LOG_NAME = "plan: role %s: a log cannot be named %r"
LOAD_NAME = "plan: loads: use letters, digits, . _ - only: %r"
LOAD_COMMAND = "plan: load %s: command must be a list of strings, not empty"
LOAD_LOG_NAME = "plan: load %s: a log cannot be named %r, or the name is used twice"
LOAD_SERVER = "plan: load %s: no virtual server of this name"
SERVER = "plan: virtual server %r: must be an object with a name of letters, digits, . _ -"
SERVER_ROLE = "plan: virtual server %s: role %r is not in roles"
SERVER_WORKLOAD = "plan: virtual server %s: has a load, but no workload"
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
NOT_STOPPED = "%s: its collectors could not be stopped: %s"
NOT_CLEANED = "%s: its temporary files could not be removed: %s"
LOAD_FAILED = "load %s %s; see client/%s"
LOAD_NOT_STARTED = "cannot be started: %s"
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
DRY_RUN = "run %(study)s/%(server)s/%(run)s, accelerator %(accelerator)s"
DRY_LOCAL = "on this machine"
DRY_SSH = "at %s"
DRY_SSH_OPTIONS = " (ssh %s)"
DRY_ROLE = "%s, %s:"
DRY_LOG = "  %s: what is written to %s during the run"
DRY_BASELINE = "idle baseline: %g s"
DRY_LOAD = "load %s: %s > client/%s"
DRY_AFTER = "after the load: %g s"
