package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
)

// tuneMemory trades memory for CPU unless the environment says otherwise. A
// call makes little garbage that lives, so the heap may grow to five times
// what is alive (GOGC=400); three quarters of the memory there is bound it
// softly (GOMEMLIMIT).
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if most := memoryThere(); os.Getenv("GOMEMLIMIT") == "" && most > 0 {
		debug.SetMemoryLimit(most / 4 * 3)
	}
}

// memoryThere is the smaller of the machine's memory and the container's; 0
// when neither is known.
func memoryThere() int64 {
	most := int64(0)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if fields := bytes.Fields(b); len(fields) > 1 { // MemTotal: n kB
			kb, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			most = kb << 10
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && (most == 0 || n < most) {
			most = n
		}
	}
	return most
}
