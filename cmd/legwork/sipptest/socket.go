package sipptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// FreeAddress returns an address on 127.0.0.1 whose port is free for UDP and
// TCP. Nothing holds it until someone binds it.
func FreeAddress() (string, error) {
	const tries = 20
	var failed error
	for range tries {
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := udp.LocalAddr().String()
		tcp, err := net.Listen("tcp4", addr)
		if err != nil {
			failed = errors.Join(failed, err, udp.Close())
			continue
		}
		return addr, errors.Join(tcp.Close(), udp.Close())
	}
	return "", fmt.Errorf("no port is free for both udp and tcp: %w", failed)
}

// Bound says whether a socket is bound to addr, from the kernel's tables (Linux).
func Bound(addr string) (bool, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false, fmt.Errorf("sipp: local address: %w", err)
	}
	port := fmt.Sprintf(":%04X", at.Port())
	var places []string // ends of it
	if ip := at.Addr().Unmap(); ip.Is4() {
		b := ip.As4()
		places = []string{" 00000000" + port, fmt.Sprintf(" %08X%s", binary.NativeEndian.Uint32(b[:]), port)}
	}
	for table, places := range map[string][]string{"udp": places, "tcp": places, "udp6": {port}, "tcp6": {port}} {
		found, err := listed("/proc/net/"+table, places)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// listed looks for places among the local addresses of one table. A machine
// without IPv6 lacks two of them.
func listed(table string, places []string) (bool, error) {
	f, err := os.Open(table)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		column := strings.Fields(lines.Text())
		if len(column) > 1 && slices.ContainsFunc(places, func(p string) bool { return strings.HasSuffix(" "+column[1], p) }) {
			return true, nil
		}
	}
	return false, lines.Err()
}
