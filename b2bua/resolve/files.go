package resolve

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	lookAgain = 5 * time.Second // between looks whether a file has changed
	maxFile   = 1 << 20         // bytes that are read
	maxSearch = 6               // suffixes for short names
)

// file is what a file of the machine's settings says, read again when it
// changes. One that can't be read says what parse makes of nothing.
type file[T any] struct {
	path  string
	parse func([]byte) T

	mu     sync.Mutex // guards all below
	looked time.Time
	seen   time.Time // its modification
	size   int64
	value  T
}

func (f *file[T]) read() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if !f.looked.IsZero() && now.Sub(f.looked) < lookAgain {
		return f.value
	}
	first := f.looked.IsZero()
	f.looked = now
	var seen time.Time
	var size int64
	if stat, err := os.Stat(f.path); err == nil {
		seen, size = stat.ModTime(), stat.Size()
	}
	if first || !seen.Equal(f.seen) || size != f.size {
		f.seen, f.size, f.value = seen, size, f.parse(contents(f.path))
	}
	return f.value
}

func contents(path string) []byte {
	in, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = in.Close() }()
	text, _ := io.ReadAll(io.LimitReader(in, maxFile)) // half of it is better than nothing
	return text
}

// parseConf reads resolv.conf(5). Without a server the machine's own is asked.
func parseConf(text []byte) dns.ClientConfig {
	c, err := dns.ClientConfigFromReader(bytes.NewReader(text))
	if err != nil {
		c = &dns.ClientConfig{Port: "53", Ndots: 1, Attempts: 2}
	}
	if len(c.Servers) == 0 {
		c.Servers = []string{"127.0.0.1", "::1"}
	}
	c.Search = c.Search[:min(len(c.Search), maxSearch)]
	return *c
}

// parseHosts reads hosts(5).
func parseHosts(text []byte) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			hosts[name] = append(hosts[name], a.Unmap().WithZone(""))
		}
	}
	return hosts
}
