# SPDX-License-Identifier: BSD-3-Clause
"""What testpmd sends, and what another has received: virtio_user_peer.py send|whole|cut ...

send FILE: frames of TCP, longer than their MSS, and of UDP, over IPv4 and IPv6.
whole SENT GOT: GOT has each frame of SENT as it is, its checksum left out.
cut SENT GOT MSS: GOT has segments of at most MSS bytes instead; each is what scapy makes of it when
it forgets all lengths and checksums, and together they carry what was sent, in order.
"""
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IP, TCP, UDP, Ether, IPv6, raw, rdpcap, wrpcap  # noqa: E402

BROADCAST = "ff:ff:ff:ff:ff:ff"
SENDER = "02:00:00:00:00:01"


def network(version, number):
    if version == 4:
        return IP(src="10.0.0.1", dst="10.0.0.2", id=0xFFF0 + number % 16)
    return IPv6(src="fd00::1", dst="fd00::2")


def send(file):
    frames = []
    for number in range(20):
        payload = bytes((number + i * 7) % 256 for i in range(201 + 800 * number))
        for version in (4, 6):
            ether = Ether(src=SENDER, dst=BROADCAST) / network(version, number)
            tcp = TCP(sport=1000 + number, dport=80, seq=0xFFFFF000 + number, flags="PA")
            frames.append(ether / tcp / payload)
            frames.append(ether / UDP(sport=1000 + number, dport=53) / payload[:301 + number])
    wrpcap(file, frames)


def l4_of(packet):
    return packet[TCP if TCP in packet else UDP]


def without_sum(packet):
    packet = Ether(raw(packet))
    l4_of(packet).chksum = 0
    return raw(packet)[12:]


def whole(sent, got):
    if len(got) != len(sent):
        sys.exit(f"{len(got)} frames, not {len(sent)}")
    for number, (a, b) in enumerate(zip(sent, got)):
        if without_sum(a) != without_sum(b):
            sys.exit(f"frame {number} is not as it was sent")


def anew(packet):
    """The frame as scapy makes it."""
    packet = Ether(raw(packet))
    for layer, fields in ((IP, "len chksum"), (IPv6, "plen"), (UDP, "len chksum"), (TCP, "chksum")):
        for field in fields.split() if layer in packet else ():
            delattr(packet[layer], field)
    return raw(packet)


def segment(sent, got, done, index):
    """Payload of a segment that is right."""
    payload = raw(l4_of(got).payload)
    if raw(got) != anew(got):
        sys.exit(f"{got.summary()}: not as scapy makes it")
    if IP in got and got[IP].id != (sent[IP].id + index) % 65536:
        sys.exit(f"{got.summary()}: number {index} has the id {got[IP].id}")
    if TCP in got and got[TCP].seq != (sent[TCP].seq + done) % 2**32:
        sys.exit(f"{got.summary()}: not the sequence number of byte {done}")
    if TCP in got and ("P" in got[TCP].flags) != (
            done + len(payload) == len(sent[TCP].payload)):
        sys.exit(f"{got.summary()}: PSH is the last one's")
    return payload


def cut(sent, got, mss):
    rest = iter(got)
    for number, packet in enumerate(sent):
        wanted, payload, index = raw(l4_of(packet).payload), b"", 0
        while len(payload) < len(wanted):
            part = next(rest, None)
            if part is None or l4_of(part).sport != l4_of(packet).sport:
                sys.exit(f"frame {number}: {len(payload)} bytes of {len(wanted)} are here")
            payload += segment(packet, part, len(payload), index)
            index += 1
        if payload != wanted or index != (-(-len(wanted) // mss) if TCP in packet else 1):
            sys.exit(f"frame {number}: came as {index} with other bytes")
    if next(rest, None) is not None:
        sys.exit("there are more than were sent")


if sys.argv[1] == "send":
    send(sys.argv[2])
elif sys.argv[1] == "whole":
    whole(rdpcap(sys.argv[2]), rdpcap(sys.argv[3]))
else:
    cut(rdpcap(sys.argv[2]), rdpcap(sys.argv[3]), int(sys.argv[4]))
