# SPDX-License-Identifier: BSD-2-Clause
"""Runs a program under a unit's SystemCallFilter, as a script: sandbox.py UNIT PROGRAM ARGUMENT...

Stricter than systemd: a call that the unit does not allow kills the process, and so does any
execve() but the one that starts the program, and any clone() that makes no thread.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06  # of classic BPF
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
ENOSYS, CLONE_THREAD = 38, 0x10000


def numbers():
    """The numbers of all system calls that the C library knows."""
    text = subprocess.run(["cc", "-dM", "-E", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          check=True, capture_output=True, text=True).stdout
    return {name: int(n) for name, n in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


def members(group):
    """The system calls of one of systemd's groups, such as @system-service."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", group],
                          check=True, capture_output=True, text=True).stdout
    names = set()
    for word in re.findall(r"^    ([@\w-]+)$", text, re.M):
        names |= members(word) if word.startswith("@") else {word}
    return names


def allowed(unit):
    """What the unit's lines leave. The first one is a list of what is allowed."""
    names = members("@default")
    with open(unit, encoding="utf-8") as f:
        lines = re.findall(r"^SystemCallFilter=(~?)(.*)$", f.read(), re.M)
    assert lines and not lines[0][0]
    for taken_away, words in lines:
        for word in words.split():
            calls = members(word) if word.startswith("@") else {word}
            names = names - calls if taken_away else names | calls
    return names


def instruction(code, jump_true=0, jump_false=0, value=0):
    return struct.pack("HBBI", code, jump_true, jump_false, value)


def rules(names, path):
    """The filter's instructions; `path` is where the program's name is in memory."""
    known = numbers()
    low, high = path & 0xFFFFFFFF, path >> 32
    program = [instruction(LOAD, value=NUMBER)]
    program += [instruction(JUMP_EQUAL, 0, 1, known["clone3"]), instruction(RETURN, value=ERRNO | ENOSYS)]
    program += [instruction(JUMP_EQUAL, 0, 4, known["clone"]), instruction(LOAD, value=FIRST_ARGUMENT),
                instruction(JUMP_SET, 0, 1, CLONE_THREAD), instruction(RETURN, value=ALLOW),
                instruction(RETURN, value=KILL)]
    program += [instruction(JUMP_EQUAL, 0, 6, known["execve"]), instruction(LOAD, value=FIRST_ARGUMENT),
                instruction(JUMP_EQUAL, 0, 3, low), instruction(LOAD, value=FIRST_ARGUMENT + 4),
                instruction(JUMP_EQUAL, 0, 1, high), instruction(RETURN, value=ALLOW),
                instruction(RETURN, value=KILL)]
    for name in sorted(names - {"clone", "clone3", "execve", "execveat", "fork", "vfork", "ptrace"}):
        if name in known:
            program += [instruction(JUMP_EQUAL, 0, 1, known[name]), instruction(RETURN, value=ALLOW)]
    return b"".join(program) + instruction(RETURN, value=KILL)


def main():
    unit, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    path = ctypes.create_string_buffer(command[0].encode())
    arguments = (ctypes.c_char_p * (len(command) + 1))(*[c.encode() for c in command], None)
    code = rules(allowed(unit), ctypes.addressof(path))
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)):
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    libc.execv(path, arguments)
    os._exit(127)


if __name__ == "__main__":
    main()
