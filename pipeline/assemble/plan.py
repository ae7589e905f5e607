"""What is inferred from logs that were recorded by hand, and what a user states instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.assemble.sources import Source


@dataclass(frozen=True)
class Choices:
    """What a user states; everything else is inferred. Keys are roles (``host``, or the name of a guest)."""

    cpus: Mapping[str, int] = field(default_factory=dict)
    date: str | None = None
    tz: Mapping[str, str] = field(default_factory=dict)
    """``""``: of every machine that has no zone of its own."""
    server_processes: Mapping[str, str] = field(default_factory=dict)
    qemu: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Guest → its virtual disk, and the host's disk."""
    workloads: Mapping[str, str] = field(default_factory=dict)
    accelerator: str | None = None
    start: str | None = None
    end: str | None = None
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    iotop: Mapping[str, str] = field(default_factory=dict)
    """Role → ``HH:MM:SS/SECONDS``: time of iotop's first snapshot, and its delay."""
    clients: Mapping[str, str] = field(default_factory=dict)
    """Path of a client's report → the guest that it loads."""


@dataclass(frozen=True)
class Inference:
    """One line of what is proposed: what, its value, and how it was inferred."""

    subject: str
    value: str
    reason: str = ""


@dataclass(frozen=True)
class Question:
    """What the logs do not say."""

    option: str
    text: str
    default: str | None = None


@dataclass
class Remarks:
    """What is collected while a run is inferred."""

    inferences: list[Inference] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def infer(self, subject: str, value: str, reason: str = "") -> None:
        """Add an inference."""
        self.inferences.append(Inference(subject, value, reason))

    def ask(self, option: str, text: str, default: str | None = None) -> None:
        """Add a question."""
        self.questions.append(Question(option, text, default))


@dataclass(frozen=True)
class Plan:
    """A run that can be written."""

    study: str
    server: str
    run: str
    manifest: dict[str, Any]
    files: Mapping[str, Path]
    """Path below the run's folder → the file that is copied there."""
    inferences: tuple[Inference, ...] = ()
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Guest:
    """What is inferred about one guest."""

    name: str
    sources: list[Source]
    server_processes: str | None = None
    qemu_process: str | None = None
    virtual_disk: str | None = None
    host_disk: str | None = None
