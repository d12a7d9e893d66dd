#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
#
# What a capture costs: natprobe with one and without the privilege for it, taking turns, BENCH_RUNS (20) each, 25 ms
# each way; and natprobe --read of a file of BENCH_BYTES (1 GiB), beside tshark, if it is there: time and memory.

. "$(dirname "$0")/../tests/net/lab.sh"
LAB_TIMEOUT=${LAB_TIMEOUT:-1800} LAB_CAPTURE=no
lab_enter "$@"
runs=${BENCH_RUNS:-20} bytes=${BENCH_BYTES:-1073741824}
natprobe=$(lab_program natprobe)

lab_up && lab_delay 25 && lab_natprobed 198.51.100.10 203.0.113.10 || exit

for kind in none masquerade-drop; do
	lab_kind $kind
	lab_in host "$LAB_PYTHON" - "$kind" "$runs" "$natprobe" <<-'END'
		import json, statistics, subprocess, sys, time
		kind, runs, natprobe = sys.argv[1:]
		times = {"on": [], "not-permitted": []}
		for _ in range(int(runs)):
		    for before in ([], ["setpriv", "--bounding-set", "-net_raw"]):
		        begin = time.monotonic()
		        # setpriv on both sides, so that its own start counts twice
		        out = subprocess.run([*(before or ["setpriv", "--bounding-set", "+net_raw"]), natprobe, "-4", "-j",
		                              "198.51.100.10"], timeout=20, stdout=subprocess.PIPE, check=True).stdout
		        times[json.loads(out)["capture"]["state"]].append((time.monotonic() - begin) * 1000)
		on, off = (statistics.median(times[state]) for state in ("on", "not-permitted"))
		print(f"{kind}: {on:.0f} ms with a capture, {off:.0f} ms without: {on - off:+.0f} ms, limit 20 ms or 5 %")
	END
done

# one in eight packets is of STUN, the others are data of 1000 bytes; all in 4000 flows
"$LAB_PYTHON" - "$LAB_DIR/large.pcap" "$bytes" <<'END'
import struct, sys
def udp(source, port, destination, to, payload):
    total = 28 + len(payload)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0x4000, 64, 17, 0, source, destination)
    return ip + struct.pack(">HHHH", port, to, 8 + len(payload), 0) + payload
def record(n, packet):
    return struct.pack("<IIII", 1700000000 + n // 10000, n % 10000 * 100, len(packet), len(packet)) + packet
host, server = bytes((10, 0, 1, 2)), bytes((198, 51, 100, 10))
block = bytearray()
for n in range(16000):
    port, ask = 20000 + n % 4000, n % 16 < 8
    stun = struct.pack(">HHI12s", 1 if ask else 0x101, 0, 0x2112a442, (n // 16).to_bytes(12, "big"))
    payload = stun if n % 8 == 0 else bytes(1000)
    block += record(n, udp(host, port, server, 3478, payload) if ask else udp(server, 3478, host, port, payload))
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
    for _ in range(max(1, int(sys.argv[2]) // len(block))):
        file.write(block)
END

# NAME COMMAND...
measure()
{
	"$LAB_PYTHON" - "$LAB_DIR/large.pcap" "$@" <<-'END'
		import os, resource, subprocess, sys, time
		file, name, *command = sys.argv[1:]
		begin = time.monotonic()
		subprocess.run([*command, file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
		seconds, size = time.monotonic() - begin, os.path.getsize(file)
		peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
		print(f"{name}: {size / 2**20:.0f} MiB in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s, {peak:.0f} MiB at most")
	END
}

cat "$LAB_DIR/large.pcap" >/dev/null
measure natprobe "$natprobe" --read
command -v tshark >/dev/null && measure tshark tshark -n -T fields -e frame.number -e stun.type -r
exit 0
