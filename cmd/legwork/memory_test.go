package main

import (
	"testing"
	"testing/fstest"
)

func TestTheMemoryOfAServiceIsThatOfItsGroup(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"nothing known": {fstest.MapFS{}, 0},
		"machine":       {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 8 << 30},
		"container":     {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("1073741824\n")}, 1 << 30},
		"service": {fstest.MapFS{
			"proc/self/cgroup": file("0::/system.slice/legwork.service\n"), "sys/fs/cgroup/system.slice/legwork.service/memory.max": file("536870912\n"),
			"sys/fs/cgroup/system.slice/memory.max": file("max\n"),
		}, 512 << 20},
		"slice": {fstest.MapFS{
			"proc/self/cgroup": file("0::/calls.slice/legwork.service\n"), "sys/fs/cgroup/calls.slice/memory.max": file("268435456\n"),
		}, 256 << 20},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("5:cpu:/other\n4:memory:/legwork\n"), "sys/fs/cgroup/memory/legwork/memory.limit_in_bytes": file("536870912\n"),
		}, 512 << 20},
	} {
		if len(c.files) > 0 {
			c.files["proc/meminfo"] = file("MemTotal:        8388608 kB\n")
		}
		if got := memoryThere(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
