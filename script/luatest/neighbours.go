package luatest

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"legwork/b2bua/trunk"
	"legwork/script"
)

// neighbours are the trunks of a test run, each with an address that its calls
// come from.
type neighbours struct {
	table   *trunk.Table
	sources map[string]netip.Addr
}

// madeUp is where addresses come from that no configuration gives: RFC 2544's
// second half, which nobody has.
var madeUp = netip.AddrFrom4([4]byte{198, 19, 0, 1})

// meet gives every trunk a source. A trunk that matches none, or only host
// names, gets an address that is made up.
func meet(trunks []trunk.Trunk) (*neighbours, error) {
	trunks = slices.Clone(trunks)
	n := &neighbours{sources: map[string]netip.Addr{}}
	next, hosts := madeUp, map[string][]netip.Addr{}
	for i := range trunks {
		one := &trunks[i]
		if !slices.ContainsFunc(one.Match, func(m string) bool { _, ok := trunk.ParsePrefix(m); return ok }) {
			one.Match = append(slices.Clone(one.Match), next.String())
		}
		for _, m := range one.Match {
			if trunk.IsHost(m) {
				hosts[m] = []netip.Addr{next}
			}
		}
		next = next.Next()
	}
	table, err := trunk.NewTable(trunks, func(host string) []netip.Addr { return hosts[host] })
	if err != nil {
		return nil, err
	}
	n.table = table
	for i := range trunks {
		n.find(&trunks[i])
	}
	return n, nil
}

// find picks an address that is this trunk's and no narrower one's.
func (n *neighbours) find(one *trunk.Trunk) {
	for _, m := range one.Match {
		prefix, ok := trunk.ParsePrefix(m)
		if !ok {
			continue
		}
		addr := prefix.Addr()
		if !prefix.IsSingleIP() {
			addr = addr.Next()
		}
		for range 1024 {
			if !prefix.Contains(addr) {
				break
			}
			if found, _ := n.table.Match(addr); found != nil && found.Name == one.Name && !addr.IsUnspecified() {
				n.sources[one.Name] = addr
				return
			}
			addr = addr.Next()
		}
	}
}

// stranger is a source of no trunk.
func (n *neighbours) stranger() (netip.Addr, error) {
	for addr := netip.AddrFrom4([4]byte{203, 0, 113, 1}); addr.As4()[0] == 203; addr = addr.Next() {
		if found, _ := n.table.Match(addr); found == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("every address belongs to a trunk")
}

// Names of trunks in Lua, as tests and scripts without a configuration write
// them.
var (
	namedTrunk = regexp.MustCompile(`\b(?:(?:from_)?trunk|auth)\s*=\s*["']([^"'\n]+)["']`)
	paramTrunk = regexp.MustCompile(`\{[^{}]*\btype\s*=\s*["']trunk["'][^{}]*\}`)
	defaulted  = regexp.MustCompile(`\bdefault\s*=\s*["']([^"'\n]+)["']`)
)

// namedServer is b2b.redis("cache") and the like.
var namedServer = regexp.MustCompile(`\bb2b\.(redis|sql)\s*\(?\s*["']([^"'\n]+)["']`)

// Servers lists the names that scripts give b2b.redis and b2b.sql, for those that
// have no configuration.
func Servers(s *script.Snapshot) (redis, sql []string) {
	for _, file := range slices.Sorted(maps.Keys(s.Files)) {
		for _, m := range namedServer.FindAllStringSubmatch(string(s.Files[file]), -1) {
			if m[1] == "redis" {
				redis = append(redis, m[2])
			} else {
				sql = append(sql, m[2])
			}
		}
	}
	return redis, sql
}

// Invent makes up the trunks that scripts and tests name, for those that have
// no configuration. Each has a target of its name, and credentials.
func Invent(s *script.Snapshot) []trunk.Trunk {
	names := map[string]bool{}
	for _, src := range s.Files {
		text := string(src)
		for _, m := range namedTrunk.FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
		for _, param := range paramTrunk.FindAllString(text, -1) {
			for _, m := range defaulted.FindAllStringSubmatch(param, -1) {
				names[m[1]] = true
			}
		}
	}
	var trunks []trunk.Trunk
	for i, name := range slices.Sorted(maps.Keys(names)) {
		host := strings.ToLower(name)
		if !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`).MatchString(host) {
			host = fmt.Sprintf("trunk%d", i+1)
		}
		trunks = append(trunks, trunk.Trunk{
			Name: name, Targets: []trunk.Endpoint{{URI: "sip:" + host + ".example"}}, Auth: &trunk.Auth{User: name, Password: name},
		})
	}
	return trunks
}
