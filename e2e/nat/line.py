"""A line between two network namespaces with a rate, a delay and losses: `tc netem` for kernels without it.

  namespace 1, TUN interface  <- this process: rate, drop-tail queue, loss, delay, each way ->  namespace 2, TUN interface

usage: line.py NS1 IF1 NS2 IF2 --rate-mbit R --delay-ms D --loss L --queue-ms Q --seed S
  rate 0: no limit; delay: one way; loss: 0 to 1, drawn for each packet by the seed; queue: what waits longer is dropped
Prints "up" when both interfaces exist. Each line on its standard input is answered with the counts so far, as JSON; the end of
its standard input ends it: whoever started it is gone.
"""

import argparse
import collections
import ctypes
import fcntl
import json
import os
import random
import select
import struct
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
PACKET_BYTES_MAX = 65535
# Packets read in a row before the queues are looked at again: more would make what is due late.
BURST = 64


def open_tun(namespace, name):
    """A TUN interface belongs to the namespace in which its file was opened, whatever namespace the process is in later."""
    libc = ctypes.CDLL(None, use_errno=True)
    home, there = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", "/run/netns/" + namespace))
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "entering the namespace " + namespace)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    libc.setns(home, CLONE_NEWNET)
    os.close(home)
    os.close(there)
    return tun


class Way:
    """One direction: packets wait until they have been sent at the line's rate, and arrive after its delay."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.free_at = 0.0  # when the last packet taken has left the sender
        self.flying = collections.deque()  # (arrives at, packet), in order
        self.counts = {"packets": 0, "bytes": 0, "lost": 0, "dropped": 0}


def take(way, packet, now, options, draw):
    counts = way.counts
    counts["packets"] += 1
    counts["bytes"] += len(packet)
    if options.loss and draw.random() < options.loss:
        counts["lost"] += 1
        return
    sent_at = now
    if options.rate_mbit:
        starts = max(now, way.free_at)
        if starts - now > options.queue_ms / 1e3:
            counts["dropped"] += 1
            return
        sent_at = way.free_at = starts + len(packet) * 8 / (options.rate_mbit * 1e6)
    way.flying.append((sent_at + options.delay_ms / 1e3, packet))


def deliver(way, now):
    while way.flying and way.flying[0][0] <= now:
        try:
            os.write(way.target, way.flying.popleft()[1])
        except OSError:
            pass  # the interface is down or full: the packet is lost, as on any line


def read_burst(way, options, draw):
    for _ in range(BURST):
        try:
            packet = os.read(way.source, PACKET_BYTES_MAX)
        except BlockingIOError:
            return
        take(way, packet, time.monotonic(), options, draw)


def main():
    parser = argparse.ArgumentParser()
    for name in ("ns1", "if1", "ns2", "if2"):
        parser.add_argument(name)
    for name in ("--rate-mbit", "--delay-ms", "--loss", "--queue-ms"):
        parser.add_argument(name, type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    os.nice(-15)  # a line does not slow down when the computers at its ends are busy

    one, two = open_tun(options.ns1, options.if1), open_tun(options.ns2, options.if2)
    there, back = Way(one, two), Way(two, one)
    way_by_source = {one: there, two: back}
    poll = select.epoll()
    for descriptor in (0, one, two):
        poll.register(descriptor, select.EPOLLIN)
    print("up", flush=True)
    while True:
        due = min((way.flying[0][0] for way in (there, back) if way.flying), default=None)
        timeout = -1 if due is None else max(0, due - time.monotonic())
        for descriptor, _ in poll.poll(timeout):
            if descriptor != 0:
                read_burst(way_by_source[descriptor], options, draw)
            elif os.read(0, 1024):
                print(json.dumps({"there": there.counts, "back": back.counts}), flush=True)
            else:
                return
        for way in (there, back):
            deliver(way, time.monotonic())


main()
