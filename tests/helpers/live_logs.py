"""Logs of the collectors of any length."""


def rows_of(seq, *, pid=10, ticks=100):
    """One snapshot of each kind."""
    clock = f"top - 10:00:{seq % 60:02} up 1 day, 1 user, load average: 0.00, 0.01, 0.05\n"
    names = "  PID USER      PR  NI    VIRT    RES    SHR S  %CPU %MEM     TIME+ COMMAND\n"
    row = "{:5} root      20   0    8192   2108   1520 S   6.2  0.1   0:{:02}.01 {}\n"
    block = "/sys/block/vda/stat:  7300 0 8 1 {} 0 16 3 0 4 4\n"
    total = "Total DISK READ:       0.00 B/s | Total DISK WRITE:       {}.00 B/s\n"
    task = f"    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n{pid:7} be/4 root  "
    command = f"c {pid} 44 qemu-system-x86_64 -name guest=web -p {seq}\n"
    return {
        "top": clock
        + names
        + "".join(row.format(pid + n, seq % 60, f"sh{n}") for n in range(6)),
        "tasks": f"cpu  {ticks * seq} 0 80 5000 9 0 1 0 0 0\n"
        f"p {pid} 44 1 S 3 {seq} 40 0 0 20 7 51200 qemu\n"
        + ("" if seq % 5 else command + f"v {pid} {pid} 44 emulator - command web\n")
        + f"t {pid} {pid} 44 S 0 {seq} 10 0 2 qemu\nk pressure some_us {seq} cpu\n",
        "block": block.format(seq) + block.format(seq).replace("vda", "vdb"),
        "iotop": total.format(seq) + task + "  0.00 B/s    0.00 B/s  0.00 %  0.00 % sh\n",
    }  # fmt: skip


def log_of(kind, numbers, end="", **options):
    texts = (f"#T {n}000000000 {n} {n} b\n{rows_of(n, **options)[kind]}" for n in numbers)
    return ("".join(texts) + end).encode()
