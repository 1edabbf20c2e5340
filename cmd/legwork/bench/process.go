package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on Linux. The
// kernel scales user and system time to the exact time run, so the sum is right
// to a tick.
const tick = 10 * time.Millisecond

// status is the part of /proc/PID/stat that counts here.
type status struct {
	pid, parent int
	cpu         time.Duration // user and system, threads that ended included
}

func readStatus(pid int) (status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return status{}, err
	}
	return parseStatus(pid, text)
}

func parseStatus(pid int, text []byte) (status, error) {
	// The second field is the program's name in brackets and may hold anything.
	field := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const parent, user, system = 1, 11, 12
	if len(field) <= system {
		return status{}, fmt.Errorf("/proc/%d/stat: not understood", pid)
	}
	var n [3]int
	for i, at := range []int{parent, user, system} {
		number, err := strconv.Atoi(field[at])
		if err != nil {
			return status{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		n[i] = number
	}
	return status{pid: pid, parent: n[0], cpu: time.Duration(n[1]+n[2]) * tick}, nil
}

// tree is a process and all that descend from it.
func tree(root int) ([]status, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]status{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if s, err := readStatus(pid); err == nil { // else it has just gone
			children[s.parent] = append(children[s.parent], s)
		}
	}
	first, err := readStatus(root)
	if err != nil {
		return nil, err
	}
	all := []status{first}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all, nil
}

// cpu is what a product has used since it began.
func (b *product) cpu() (time.Duration, error) {
	all, err := tree(b.cmd.Process.Pid)
	var sum time.Duration
	for _, s := range all {
		sum += s.cpu
	}
	return sum, err
}

// rss is the memory a product has in RAM, in KB. Pages its processes share
// count once.
func (b *product) rss() (int, error) {
	all, err := tree(b.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	key := "Rss:"
	if len(all) > 1 {
		key = "Pss:"
	}
	sum := 0
	for _, s := range all {
		kb, err := rollup(s.pid, key)
		if err != nil {
			return 0, err
		}
		sum += kb
	}
	return sum, nil
}

func rollup(pid int, key string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if field := strings.Fields(line); len(field) == 3 && field[0] == key {
			return strconv.Atoi(field[1])
		}
	}
	return 0, fmt.Errorf("/proc/%d/smaps_rollup: no %s", pid, key)
}

// openFiles counts a product's descriptors.
func (b *product) openFiles() (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.cmd.Process.Pid))
	return len(files), err
}

// dropped says how many datagrams the kernel threw away because the reader of
// each port was behind, from the last column of /proc/net/udp.
func dropped(ports map[string]string) (map[string]int, error) {
	f, err := os.Open("/proc/net/udp")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	drops := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		column := strings.Fields(lines.Text())
		if len(column) < 13 {
			continue
		}
		_, hex, _ := strings.Cut(column[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			continue // the heading
		}
		if name, ok := ports[strconv.FormatUint(port, 10)]; ok {
			n, err := strconv.Atoi(column[len(column)-1])
			if err != nil {
				return nil, fmt.Errorf("/proc/net/udp: %w", err)
			}
			drops[name] += n
		}
	}
	return drops, lines.Err()
}
