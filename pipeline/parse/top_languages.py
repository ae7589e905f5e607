"""Words of top in the languages of procps.

Taken from procps 3.3.17, 4.0.2, 4.0.4 and 4.0.7 in each of its languages. Other words are unknown. The labels of
numbers in summary lines: ``top_messages``.
"""

from __future__ import annotations

from pipeline.parse.top_messages import MEMORY_WORDS

PROCPS_COLUMNS = """
    PID PPID UID USER RUID RUSER SUID SUSER GID GROUP PGRP TTY TPGID SID PR NI nTH P %CPU TIME TIME+
    %MEM VIRT SWAP RES CODE DATA SHR nMaj nMin nDRT S COMMAND WCHAN Flags CGROUPS SUPGIDS SUPGRPS
    TGID OOMa OOMs ENVIRON vMj vMn USED nsIPC nsMNT nsNET nsPID nsUSER nsUTS LXC RSan RSfd RSlk RSsh
    CGNAME NU LOGID EXE RSS PSS PSan PSfd PSsh USS ioR ioRop ioW ioWop AGID AGNI STARTED ELAPSED
    %CUU %CUC nsCGROUP nsTIME nFLT #C
"""
BUSYBOX_COLUMNS = "PID PPID USER STAT STATUS VSZ %VSZ %MEM CPU %CPU COMMAND"
ENGLISH = frozenset(f"{PROCPS_COLUMNS} {BUSYBOX_COLUMNS}".split())


def _translations(text: str) -> dict[str, str]:
    """``English=translated`` pairs as a dictionary from the translation to English."""
    return {theirs: ours for ours, theirs in (pair.split("=") for pair in text.split())}


COLUMN_TRANSLATIONS = {
    "de": _translations(
        "GROUP=GRUPPE TIME=ZEIT TIME+=ZEIT+ DATA=DATEN COMMAND=BEFEHL Flags=Schalter "
        "ENVIRON=UMGEBUNG STARTED=GESTARTET nsTIME=nsZEIT"
    ),
    "es": _translations(
        "USER=USUARIO GROUP=GRUPO TIME=HORA TIME+=HORA+ COMMAND=ORDEN ENVIRON=ENTORNO STARTED=INICIADO "
        "ELAPSED=TRANSCURRIDO"
    ),
    "ka": _translations(
        "USER=მომხმარებელი P=პ TIME=დრო DATA=მონაცემები S=კ COMMAND=ბრძანება Flags=ალმები"
    ),
    "fr": _translations(
        "USER=UTIL. GROUP=GROUPE TIME=TEMPS TIME+=TEMPS+ SWAP=ÉCH. COMMAND=COM. Flags=Fanions "
        "USED=UTIL ioR=esL ioRop=esOpL ioW=esÉ ioWop=esOpé AGID=IDAG STARTED=DÉMAR ELAPSED=ÉCOULÉ "
        "%CUC=%CUE nsTIME=nsTEMPS"
    ),
    "pl": _translations(
        "USER=UŻYTK. RUSER=UŻYTK.R. SUSER=UŻYTK.Z. GROUP=GRUPA nTH=nWT TIME=CZAS TIME+=CZAS+ "
        "%MEM=%PAM VIRT=WIRT RES=REZ CODE=KOD DATA=DANE SHR=WSP COMMAND=KOMENDA Flags=Flagi "
        "SUPGIDS=DOD.GID SUPGRPS=DOD.GR. ENVIRON=ZMIENNE USED=UŻ. RSan=RZan RSfd=RZpl RSlk=RZbl "
        "RSsh=RZws CGNAME=NAZWACG STARTED=URUCH. ELAPSED=MINIONY"
    ),
    "pt_BR": _translations(
        "USER=USUARIO GROUP=GRUPO TIME=TEMPO TIME+=TEMPO+ DATA=DADO COMMAND=COMANDO USED=USAD"
    ),
    "ro": _translations(
        "USER=UTILIZ. RUID=UIDR RUSER=UTILIZ.R SUID=UIDS SUSER=UTILIZ.S GROUP=GRUP PR=PRI TIME=TIMP "
        "TIME+=TIMP+ CODE=COD DATA=DATE SHR=M.PART COMMAND=COMANDA Flags=Fanioane ENVIRON=MEDIU "
        "STARTED=ÎNCEPUT ELAPSED=SCURS nsTIME=nsTIMP"
    ),
    "sv": _translations(
        "PPID=FPID UID=AID USER=ANVÄNDARE USER=ANVÄNDAR RUID=VAID RUSER=VANV SUID=SAID SUSER=SANV "
        "GROUP=GRUPP nTH=aTR TIME=TID TIME+=TID+ %MEM=%MIN SWAP=VÄXL CODE=KOD SHR=DELT nMaj=aSto "
        "nMin=aSmå nDRT=aSmu COMMAND=KOMMANDO WCHAN=VKAN Flags=Flaggor CGROUPS=KGRUPPR "
        "SUPGIDS=KOMPGID SUPGRPS=KOMPGRP OOMa=OOMj OOMs=OOMv ENVIRON=MILJÖ vMj=vSt vMn=vSm USED=ANV "
        "nsIPC=nrIPK nsMNT=nrMNT nsNET=nrNÄT nsPID=nrPID nsUSER=nrANV nsUTS=nrUTS RSfd=RSfb RSlk=RSlå "
        "RSsh=RSdl CGNAME=KGNAMN EXE=KÖRBAR PSS=ARSS PSan=ASan PSfd=ASfb PSsh=ASdelt USS=URSS ioR=ioL "
        "ioRop=ioLåt ioW=ioS ioWop=ioSåt STARTED=STARTAD ELAPSED=FÖRLUP. %CUU=%CUA %CUC=%CUB "
        "nsCGROUP=nrGRUPPER nsTIME=nrTID"
    ),
    "uk": _translations("USER=КОР. Flags=Прапорці STARTED=РОЗПОЧАТО"),
    "vi": _translations(
        "USER=NG_DÙNG GROUP=NHÓM TIME=GIỜ TIME+=THGIAN+ CODE=MÃ COMMAND=LỆNH Flags=Cờ ENVIRON=BIẾN_MT "
        "USED=DÙNG"
    ),
    "zh_CN": _translations(
        "PID=进程号 PID=进程 USER=用户 RUSER=真实用户 SUSER=保存用户 GROUP=组 PR=优 nTH=线 TIME=时间 "
        "TIME+=时间+ VIRT=虚拟 SWAP=交换 RES=驻留 CODE=代码 DATA=数据 SHR=共享 nMaj=主要 nMin=次要 nDRT=脏页 "
        "S=日 COMMAND=命令 Flags=标志 SUPGRPS=增补组 ENVIRON=环境 vMj=v主 vMn=v次 USED=已用 CGNAME=CG名称 "
        "EXE=可执行文件 STARTED=启动于 ELAPSED=已运行"
    ),
}
"""Column names that differ from English. Korean and Russian logs have the English names."""

CHINESE_WITHOUT_STATE = ("进程", "进程号")
"""First column name of the Chinese table, in which the name of column S is too wide and left blank."""

VARIABLE = ("COMMAND", "ENVIRON", "CGROUPS", "SUPGIDS", "SUPGRPS", "CGNAME", "EXE")
"""Columns whose width varies: top cuts their names to it."""

COLUMN_NAMES = ENGLISH.union(*(names.keys() for names in COLUMN_TRANSLATIONS.values()))


def canonical_names(names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """English column names for a line of names in one language, and unknown words.

    The language is the one with the fewest unknown words.
    """
    best: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    for translations in ({}, *COLUMN_TRANSLATIONS.values()):
        english = [_canonical(printed, translations) for printed in names]
        unknown = tuple(
            printed for printed, name in zip(names, english, strict=True) if name is None
        )
        best_columns = tuple(name or printed for printed, name in zip(names, english, strict=True))
        if best is None or len(unknown) < len(best[1]):
            best = best_columns, unknown
    columns, unknown = best
    if names[:1] and names[0] in CHINESE_WITHOUT_STATE and "SHR" in columns and "S" not in columns:
        at = columns.index("SHR") + 1
        columns = (*columns[:at], "S", *columns[at:])
    return columns, unknown


def _canonical(word: str, translations: dict[str, str]) -> str | None:
    if word in translations:
        return translations[word]
    if word in ENGLISH:
        return word
    if len(word) >= 3:
        for full in (*VARIABLE, *(t for t, name in translations.items() if name in VARIABLE)):
            if full.startswith(word):
                return translations.get(full, full)
    return None


UNITS = {
    **{unit: power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 1)},
    **{unit: power for power, unit in enumerate(("KB", "MB", "GB", "TB", "PB", "EB"), 1)},
    **{unit: power for power, unit in enumerate(("Kio", "Mio", "Gio", "Tio", "Pio", "Eio"), 1)},
    **{unit: power for power, unit in enumerate(("КіБ", "МіБ", "ГіБ", "ТіБ", "ПіБ", "ЕіБ"), 1)},
    **{unit: power for power, unit in enumerate(("КиБ", "МиБ", "ГиБ", "ТиБ", "ПиБ", "ЭиБ"), 1)},
    **{unit: power for power, unit in enumerate(("კიბ", "მიბ", "გიბ", "ტიბ", "პიბ", "ეიბ"), 1)},
}
"""Units before Mem and Swap, as powers of 1024 (the Brazilian MB is one too)."""

SWAP_WORDS = [
    "Swap", "swap", "Intercambio", "Éch", "스 왑", "Växl", "Своп", "Подк", "TĐổi", "交换", "სვაპი", "სვოპი",
]  # fmt: skip
TASK_WORDS = [
    "Tasks", "Tareas", "Tâches", "작 업", "Zadania", "Tarefas", "Sarcini", "Uppgifter",
    "Завдання", "Tác vụ", "任务", "Задачи",
]  # fmt: skip
THREAD_WORDS = [
    "Threads", "Hilos", "스레드", "Wątki", "Fire exec", "Trådar", "Потоки", "Tuyến trình", "线程", "ნაკადები",
]  # fmt: skip
CPU_WORDS = [
    "Cpu(s)", "%Cpu(s)", "%CPU(s)", "%Cpu", "%CPU", "%Cpu/er", "%CПроц.", "CPU",
]  # fmt: skip

LINE_LABELS = {
    **dict.fromkeys(TASK_WORDS, "tasks"),
    **dict.fromkeys(THREAD_WORDS, "threads"),
    **dict.fromkeys(CPU_WORDS, "cpu"),
    **{f"{unit} {word}": "memory" for unit in UNITS for word in MEMORY_WORDS},
    **{f"{unit} {word}": "swap" for unit in UNITS for word in SWAP_WORDS},
    "Mem": "memory",
    "Swap": "swap",
    "Load average": "load",
}
"""Text before the colon of a summary line (blanks collapsed) → type of the line."""
