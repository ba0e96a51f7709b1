"""A system call filter for processes that compute and nothing else (Linux, seccomp mode 2).

What is refused fails with EPERM, so that the caller gets an ordinary error. Threads may be started,
processes may not; no socket can be made, so nothing can be reached or listened to; what changes the machine,
other processes or the attributes of files is closed. Works without privileges and inside containers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits.
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_X32_BIT = 0x40000000

# AUDIT_ARCH_… of linux/audit.h
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers of asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64); None: that machine lacks it.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # a network, and sockets of this machine (databases, container engines)
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
    # io_uring makes sockets and opens files past this filter
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # other programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "kcmp": (312, 272), "move_pages": (279, 239),
    "migrate_pages": (256, 238), "setpriority": (141, 140), "ioprio_set": (251, 30), "setpgid": (109, 154),
    "setsid": (112, 157),
    # memory and queues shared by name
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    # attributes of files, which Landlock does not guard
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88), "futimesat": (261, None),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "syslog": (103, 116),
    "iopl": (172, None), "ioperm": (173, None), "personality": (135, 92), "setuid": (105, 146),
    "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143), "setgroups": (116, 159),
    "setresuid": (117, 147), "setresgid": (119, 149),
}  # fmt: skip
# Refused as if the kernel did not know it: the C library then uses clone, whose flags a filter can see.
_CLONE3 = (435, 435)
_CLONE = (56, 220)
# The first argument of these must be the process itself.
OWN_PROCESS_ONLY: dict[str, tuple[int, int]] = {"kill": (62, 129), "tgkill": (234, 131)}
# … or 0, which means the same.
OWN_OR_ZERO: dict[str, tuple[int, int]] = {"prlimit64": (302, 261)}


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def known() -> bool:
    """Is this a system whose calls the filter knows?"""
    return sys.platform == "linux" and platform.machine() in ARCHITECTURES


def install(own_pid: int | None = None) -> None:
    """Filter this thread's calls for ever; call before any other thread starts, after `no new privileges`.

    Raises:
        OSError: the kernel does not take it.
    """
    code = _code(own_pid or os.getpid(), platform.machine())
    program = _Program(len(code), (_Instruction * len(code))(*code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no system call filter: {os.strerror(number)}")


def _code(own_pid: int, machine: str) -> list[_Instruction]:
    column = list(ARCHITECTURES).index(machine)
    refuse, unknown = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    code = [
        _Instruction(_LOAD, 0, 0, _ARCHITECTURE_AT),
        _Instruction(_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _Instruction(_RETURN, 0, 0, _KILL_PROCESS),
        _Instruction(_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        code += _when(_AT_LEAST, _X32_BIT, refuse)
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            code += _when(_EQUAL, number, refuse)
    code += _when(_EQUAL, _CLONE3[column], unknown)
    code += [
        _Instruction(_EQUAL, 0, 4, _CLONE[column]),
        _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        _Instruction(_ANY_BIT, 0, 1, _CLONE_THREAD),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, refuse),
    ]
    for numbers_of_one in OWN_PROCESS_ONLY.values():
        code += _only(numbers_of_one[column], (own_pid,), refuse)
    for numbers_of_one in OWN_OR_ZERO.values():
        code += _only(numbers_of_one[column], (own_pid, 0), refuse)
    code.append(_Instruction(_RETURN, 0, 0, _ALLOW))
    return code


def _when(test: int, value: int, answer: int) -> list[_Instruction]:
    return [_Instruction(test, 0, 1, value), _Instruction(_RETURN, 0, 0, answer)]


def _only(number: int, allowed: tuple[int, ...], answer: int) -> list[_Instruction]:
    """Call `number` only with an allowed first argument (its low half; process ids fit)."""
    tests: list[_Instruction] = []
    for value in allowed:
        tests += _when(_EQUAL, struct.unpack("I", struct.pack("i", value))[0], _ALLOW)
    tests.append(_Instruction(_RETURN, 0, 0, answer))
    return [
        _Instruction(_EQUAL, 0, len(tests) + 1, number),
        _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        *tests,
    ]
