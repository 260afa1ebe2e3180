#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a command at a terminal of its own, as an operator would.

    at_terminal.py [STEP]... -- COMMAND...

Steps, in order, each within 20 s: "see TEXT" waits until the command has written it, "type TEXT"
(with \\r and the like), "raw" wants the terminal to be raw, "signal NAME" sends one to the command,
"mark FILE" makes a file, for others to know.  Then the command has 20 s to end.  Prints what was seen, "status N", and "restored" when the terminal
is as it was before.
"""
import os
import pty
import select
import signal
import sys
import termios
import time

LIMIT_S = 20


class Terminal:
    def __init__(self, command):
        self.seen = b""
        self.ours, self.theirs = pty.openpty()      # theirs stays open: its settings are looked at
        self.before = termios.tcgetattr(self.theirs)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.ours)
            self.become_session()
            os.execvp(command[0], command)

    def become_session(self):
        os.setsid()
        for fd in range(3):
            os.dup2(self.theirs, fd)

    def read_more(self, wait_s=0.1):
        if select.select([self.ours], [], [], wait_s)[0]:
            self.seen += os.read(self.ours, 4096)

    def see(self, text):
        end_s = time.monotonic() + LIMIT_S
        while text.encode() not in self.seen:
            if time.monotonic() > end_s:
                raise TimeoutError("not seen: " + text)
            self.read_more()

    def check_raw(self):
        if termios.tcgetattr(self.theirs)[3] & (termios.ICANON | termios.ECHO | termios.ISIG):
            raise ValueError("the terminal is not raw")

    def end(self):
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.read_more()
                return os.waitstatus_to_exitcode(status)
            self.read_more()
        os.kill(self.pid, signal.SIGKILL)
        raise TimeoutError("the command has not ended")

    def is_restored(self):
        return termios.tcgetattr(self.theirs) == self.before


def take(terminal, step):
    verb, _, text = step.partition(" ")
    if verb == "see":
        terminal.see(text)
    elif verb == "type":
        os.write(terminal.ours, text.encode().decode("unicode_escape").encode("latin-1"))
    elif verb == "raw":
        terminal.check_raw()
    elif verb == "mark":
        open(text, "w", encoding="ascii").close()
    elif verb == "signal":
        os.kill(terminal.pid, getattr(signal, "SIG" + text))
    else:
        raise ValueError("no such step: " + step)


def main():
    split = sys.argv.index("--")
    terminal = Terminal(sys.argv[split + 1:])
    try:
        for step in sys.argv[1:split]:
            take(terminal, step)
        print("status", terminal.end())
    except (TimeoutError, ValueError) as problem:
        print(problem)
        os.kill(terminal.pid, signal.SIGKILL)
    print("restored" if terminal.is_restored() else "not restored")
    print(terminal.seen.decode(errors="replace").replace("\r", ""))


main()
