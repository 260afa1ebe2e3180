# SPDX-License-Identifier: BSD-3-Clause
"""Checks segments and sums by scapy: segment_peer.py segments|sums FILE COUNT.

segments: each of COUNT frames of FILE is a long one followed by its segments, all with the frame's
number as their time.  scapy dissects a segment, forgets all lengths and checksums and builds it
anew: the bytes must be the same.  The segments' payloads must make up that of the long frame.

sums: each of COUNT records of FILE is a checksum in network order and the bytes that it is of.
"""
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IP, TCP, UDP, Ether, IPv6, RawPcapReader, checksum, raw  # noqa: E402


def payload_of(packet):
    return raw(packet[TCP if TCP in packet else UDP].payload)


def built_anew(packet):
    packet = packet.copy()
    if IP in packet:
        del packet[IP].len, packet[IP].chksum
    else:
        del packet[IPv6].plen
    if UDP in packet:
        del packet[UDP].len, packet[UDP].chksum
    else:
        del packet[TCP].chksum
    return raw(packet)


def check_frame(number, long, segments):
    """Returns what is wrong, or None."""
    done = b""
    for index, octets in enumerate(segments):
        packet = Ether(octets)
        if built_anew(packet) != octets:
            return f"segment {index} of frame {number} is not as scapy builds it"
        if TCP in packet and packet[TCP].seq != (long[TCP].seq + len(done)) & 0xFFFFFFFF:
            return f"segment {index} of frame {number} has a wrong sequence number"
        if IP in packet and packet[IP].id != (long[IP].id + index) & 0xFFFF:
            return f"segment {index} of frame {number} has a wrong identification"
        done += payload_of(packet)
    if done != payload_of(long):
        return f"the segments of frame {number} do not make up its payload"
    return None


def check_segments(records, count):
    frames = {}
    for number, octets in records:
        frames.setdefault(number, []).append(octets)
    if len(frames) != count:
        sys.exit(f"{len(frames)} frames, not {count}")
    for number, (long, *segments) in frames.items():
        wrong = check_frame(number, Ether(long), segments)
        if wrong is not None:
            sys.exit(wrong)
    print(f"scapy agrees on {len(records) - count} segments")


def check_sums(records, count):
    if len(records) != count:
        sys.exit(f"{len(records)} sums, not {count}")
    for number, octets in records:
        if checksum(octets[2:]) != int.from_bytes(octets[:2], "big"):
            sys.exit(f"sum {number}, of {len(octets) - 2} bytes, is not scapy's")
    print(f"scapy agrees on {count} sums")


def main():
    records = [(meta.sec, octets) for octets, meta in RawPcapReader(sys.argv[2])]
    checks = {"segments": check_segments, "sums": check_sums}
    checks[sys.argv[1]](records, int(sys.argv[3]))


main()
