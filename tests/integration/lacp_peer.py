# SPDX-License-Identifier: BSD-3-Clause
"""The other end of a link as scapy makes it: lacp_peer.py IF WHAT [SYSTEM KEY PORT]

agree   speaks LACP as SYSTEM with KEY and PORT, and agrees to all that it hears, until it is killed
loop    sends back whatever it hears, as a plug that ties a cable's ends together
garbage sends PDUs of which bytes are wrong, as fast as it can, for 3 seconds
marker  asks by a marker, and says "answered" when the answer has come
"""
import random
import sys
import time

from scapy.all import Ether, conf, raw
from scapy.contrib.lacp import LACP, MarkerProtocol, SlowProtocol

GROUP = "01:80:c2:00:00:02"
STATE = 0x3F                       # active, short timeout, and all the rest


def slow(interface):
    return Ether(dst=GROUP, src="02:00:00:00:fe:%02x" % (int(interface[-1]))) / SlowProtocol()


def pdu(interface, system, key, port, heard):
    end = LACP(actor_system_priority=1000, actor_system=system, actor_key=key,
               actor_port_priority=1, actor_port_number=port, actor_state=0x07 if heard is None
               else STATE, partner_system="00:00:00:00:00:00", collector_max_delay=0)
    if heard is not None:
        end.partner_system_priority = heard.actor_system_priority
        end.partner_system = heard.actor_system
        end.partner_key = heard.actor_key
        end.partner_port_priority = heard.actor_port_priority
        end.partner_port_number = heard.actor_port_number
        end.partner_state = heard.actor_state
    return slow(interface) / end


def hear(socket, seconds):
    """What comes from the other end within that time, one PDU or nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not socket.select([socket], 0.05):
            continue
        frame = socket.recv()
        if frame is not None and not frame.src.startswith("02:00:00:00:fe:"):
            return frame
    return None


def agree(socket, interface, system, key, port):
    heard = None
    while True:
        socket.send(pdu(interface, system, key, port, heard))
        frame = hear(socket, 0.9)
        if frame is not None and LACP in frame:
            heard = frame[LACP]


def loop(socket):
    while True:
        frame = hear(socket, 1)
        if frame is not None:
            socket.send(frame)


def garbage(socket, interface):
    random.seed(8023)
    good = raw(pdu(interface, "02:00:00:00:be:ef", 1, 1, None))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        bad = bytearray(good)
        for _ in range(random.randrange(1, 6)):
            bad[random.randrange(14, 74)] = random.randrange(256)
        socket.send(bytes(bad[:random.choice((15, 40, 80, 123, 124))]))


def marker(socket, interface):
    question = slow(interface) / MarkerProtocol(
        requester_port=9, requester_system="02:00:00:00:be:ef", requester_transaction_id=0xC0FFEE)
    for _ in range(5):
        socket.send(question)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            frame = hear(socket, 0.2)
            if frame is not None and MarkerProtocol in frame:
                answer = frame[MarkerProtocol]
                if (answer.marker_type == 2 and answer.requester_transaction_id == 0xC0FFEE
                        and answer.requester_port == 9):
                    print("answered")
                    return
    sys.exit("no answer came")


def main():
    interface, what = sys.argv[1:3]
    socket = conf.L2socket(iface=interface, filter="ether proto 0x8809")
    if what == "agree":
        agree(socket, interface, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif what == "loop":
        loop(socket)
    elif what == "garbage":
        garbage(socket, interface)
    else:
        marker(socket, interface)


main()
