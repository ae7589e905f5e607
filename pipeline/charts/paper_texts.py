"""Texts of the paper's Figures 1 to 5: titles, alternative texts, captions, and the eight steps of Figure 4."""

from __future__ import annotations

TITLES = {
    1: "Performance metrics and what influences them",
    2: "The architecture of KVM",
    3: "Modes of a processor with Intel VT-x",
    4: "virtio: the way of a read",
    5: "Queueing network of a virtual server",
}
"""Of each figure, by its number in the paper."""

VARIED, CONSTANT = "varied in the recorded study", "the same in all of its runs"

CAPTIONS = {
    1: "A user sees the response time and the throughput; three groups of factors influence them. Filled circle: the "
    "recorded study `kvm-case-study` varies it; empty circle: it does not.",
    2: "A guest runs in guest mode until it needs the kernel: a VM exit. KVM serves it and enters the guest again, or "
    "returns to QEMU in user mode, which serves it and calls `ioctl(KVM_RUN)`.",
    3: "Guest and host have their own rings 0 and 3. A sensitive instruction or an interrupt of the host is a VM exit; "
    "both states are kept in the VMCS.",
    4: "The guest's `io_ticks` runs from step 2 to step 8, the host's in step 6 alone: R_vdisk contains R_disk.",
    5: "The paper draws its service centers in a row; here the host's disk is inside the guest's disk, because the "
    "time of an operation there is part of the guest's.",
}
"""What a figure shows, as Markdown."""


def caption(number: int) -> str:
    """Caption of a figure, with its source."""
    return f"{TITLES[number]}, after Yang and Lan, Figure {number}; drawn anew from the text. {CAPTIONS[number]}"


VIRTUALIZATION, RESOURCES, WORKLOAD = "virtualization type", "resource management", "workload"

FACTORS: dict[str, tuple[tuple[str, bool], ...]] = {
    VIRTUALIZATION: (
        ("CPU: VT-x, AMD-V or none", False),
        ("memory: EPT, NPT, shadow", False),
        ("I/O: virtio or emulated", False),
        ("full or paravirtual", False),
    ),
    RESOURCES: (
        ("loaded virtual servers", True),
        ("CPU limit", True),
        ("memory of a guest", True),
        ("speed of the disk", True),
    ),
    WORKLOAD: (
        ("web server or database", True),
        ("open: arrival rate", True),
        ("arrivals: even, Poisson", True),
        ("closed: threads", True),
    ),
}
"""Groups of factors, each with its factors and whether the recorded study varies them."""

VIRTIO_FIGURE = 4

STEPS = (
    "The application calls `read()`. The page cache of the guest does not have the block, so the guest's kernel gives "
    "the request to the front-end driver.",
    "The front-end driver writes the request, and where its buffer is, into the ring in shared memory. From now on the "
    "guest's disk is busy.",
    "The front-end driver notifies the device: it writes to a register that does not exist. That is a VM exit, the "
    "only one of this request.",
    "KVM reads why the guest exited, and signals an eventfd that QEMU waits for (ioeventfd). The vCPU enters the "
    "guest again at once. Without an eventfd KVM would return to QEMU's vCPU thread, and the guest would stand still.",
    "The I/O thread of QEMU wakes up: the back-end driver takes the request out of the ring.",
    "The back-end driver reads the block with a system call of the host. The host's disk is busy in this step alone; "
    "the data go straight into the guest's buffer.",
    "The back-end driver writes the result into the ring: that request is used.",
    "KVM injects an interrupt at the next VM entry. The front-end driver takes the result from the ring, the guest's "
    "disk is idle again, and the application continues with its data.",
)
"""The eight steps of Figure 4, as Markdown."""

DESCRIPTIONS = {
    2: "Guest mode: the guest's user mode and its kernel with the virtio front-end driver. User mode: QEMU, one "
    "process per guest, with vCPU threads, I/O threads and the virtio back-end driver. Below both: kernel mode, Linux "
    "with KVM, on the hardware. Four arrows: VM exit from guest mode to kernel mode, VM entry back, exit to user from "
    "kernel mode to QEMU, ioctl(KVM_RUN) back.",
    3: "Two modes beside each other, each with ring 3 above ring 0 and system calls between them. Non-root mode: the "
    "guest's programs and kernel; its time is R_vcpu. Root mode: QEMU, and Linux with KVM; the vCPU thread's time "
    "there is R_kvm. VM exit leads from non-root to root mode, VM entry back; the VMCS keeps the state.",
    4: "A guest with an application and a front-end driver; QEMU with a vCPU thread and an I/O thread that runs the "
    "back-end driver; between them the ring in shared memory; below, KVM, the host's block layer and its disk.",
    5: "Requests arrive at the rate λ at the CPU, in guest mode for R_vcpu and in KVM for R_kvm. V times per request "
    "an operation leaves it for the guest's disk, R_vdisk, which holds the virtualization layer and the host's disk, "
    "R_disk, and comes back. The reply leaves from the CPU after R.",
}
"""Alternative texts of the figures that have no numbers."""


def metrics_description() -> str:
    """Alternative text of Figure 1: the factors of each group and which of them the recorded study varies."""
    groups = [
        f"{group}: " + ", ".join(f"{text} ({VARIED if v else CONSTANT})" for text, v in factors)
        for group, factors in FACTORS.items()
    ]
    return f"Response time R and throughput X depend on three groups. {'. '.join(groups)}."


def step_text(number: int) -> str:
    """One step of Figure 4 as plain text."""
    return STEPS[number - 1].replace("`", "")
