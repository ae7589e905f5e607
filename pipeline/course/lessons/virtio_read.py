"""Questions of lesson 5 on the modes of a processor and on the way of a read through virtio."""

from __future__ import annotations

from pipeline.course.question import Choice, Order

VIRTIO_STEPS = (
    "the application calls read()",
    "the front-end driver writes the request into the ring",
    "the front-end driver notifies the device: VM exit",
    "KVM finds the reason of the exit and signals the eventfd",
    "the back-end driver takes the request out of the ring",
    "the host reads from its disk",
    "the back-end driver writes the result into the ring",
    "KVM injects an interrupt at a VM entry",
)

MODES_AND_VIRTIO = (
    Choice(
        "mode",
        "Under KVM: which of these does not leave guest mode?",
        {
            "a": "The guest's kernel writes to a register of its virtual disk.",
            "b": "A program of the guest makes a system call to read a file that is in the guest's page cache.",
            "c": "The guest has nothing to do and executes HLT.",
            "d": "A timer interrupt of the host arrives while the guest computes.",
        },
        "b",
        {
            "a": "that register does not exist; the access is a VM exit, so that KVM or QEMU can act on it",
            "c": "HLT would stop the host's processor: it is a VM exit, and the host gives the CPU to others",
            "d": "an interrupt of the host must reach the host's kernel: it is a VM exit",
        },
        note="VT-x gives the guest a ring 0 of its own: a system call stays inside it, and so does the page cache.",
    ),
    Order(
        "virtio",
        "Put the eight steps of a read from a virtio disk into their order.",
        VIRTIO_STEPS,
        {
            VIRTIO_STEPS[0]: "everything begins with it: the kernel reads for nobody else",
            VIRTIO_STEPS[1]: "after the application has asked, and before the device is notified: what would it find otherwise?",
            VIRTIO_STEPS[2]: "the request must be in the ring already, and KVM can see nothing before this exit",
            VIRTIO_STEPS[3]: "KVM acts on an exit, and the back-end driver sleeps until it is signalled",
            VIRTIO_STEPS[4]: "it sleeps until the eventfd is signalled, and the host cannot read what nobody has looked up yet",
            VIRTIO_STEPS[5]: "the back-end driver must have taken the request, and there is no result before",
            VIRTIO_STEPS[6]: "there is a result only after the read, and it must be in the ring before the interrupt",
            VIRTIO_STEPS[7]: "the guest looks for the result when it is interrupted: the result must be in the ring by then",
        },
        note="One exit and one interrupt per request; an emulated disk controller needs an exit for each register.",
    ),
    Choice(
        "eventfd",
        "QEMU without an eventfd gets the notification in its vCPU thread. What changes when KVM signals an eventfd instead?",
        {
            "a": "There is no VM exit any more.",
            "b": "The vCPU enters the guest again at once; QEMU's I/O thread works meanwhile.",
            "c": "The host's disk is read without the host's kernel.",
            "d": "The read takes less time: step 6 becomes shorter.",
        },
        "b",
        {
            "a": "the write to the register is an exit as before; KVM deals with it in the kernel, without QEMU",
            "c": "the I/O thread makes a system call, as the vCPU thread would; vhost and passthrough are something else",
            "d": "the disk and its driver do the same work; what changes is who waits for it",
        },
        note="R_kvm becomes smaller, because the exit does not go to user mode; the time of the operation hardly does.",
    ),
)  # fmt: skip
