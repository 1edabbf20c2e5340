package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"legwork/cmd/legwork/sipptest"
)

// wave is one stretch of calls.
type wave struct {
	rate  int
	calls int
	ring  time.Duration
	hold  time.Duration
}

// Outcome is what became of a wave.
type Outcome struct {
	Calls      int            `json:"calls"` // that succeeded, the probe's included
	Failed     int            `json:"failed"`
	Resent     int            `json:"resent"`     // messages SIPp sent again: no answer in time
	Repeated   int            `json:"repeated"`   // messages that reached SIPp twice
	Unexpected int            `json:"unexpected"` // out of order, or not of the scenario
	Dropped    map[string]int `json:"dropped"`    // datagrams the kernel threw away, by their reader
	P50        float64        `json:"p50_ms"`     // INVITE to 180
	P99        float64        `json:"p99_ms"`
	CPU        float64        `json:"cpu_ms_per_call"`
	RSS        int            `json:"rss_kb"` // when the last call had ended
}

// clean says whether each call succeeded with no message lost, doubled or out
// of order.
func (o Outcome) clean() bool {
	return o.Calls > 0 && o.Failed+o.Resent+o.Repeated+o.Unexpected == 0
}

// load is a wave on its way through a product.
type load struct {
	product        *product
	wave           wave
	dir            string
	caller, callee *sipptest.Process
	probe          *probe
	cpu            time.Duration // of the product, before the wave
	drops          chan map[string]int
	stop           context.CancelFunc
}

// begin starts callee, caller and probe. Who began must end.
func (p plan) begin(ctx context.Context, b *product, w wave) (*load, error) {
	dir, err := os.MkdirTemp("", "legwork-bench-sipp-")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &load{product: b, wave: w, dir: dir, drops: make(chan map[string]int, 1), stop: stop}
	if err := l.launch(ctx, p); err != nil {
		stop()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go l.watch(ctx)
	return l, nil
}

func (l *load) launch(ctx context.Context, p plan) (err error) {
	if l.cpu, err = l.product.cpu(); err != nil {
		return err
	}
	s := sipptest.Scenario{
		File: filepath.Join(p.scenarios, "uas.xml"), Dir: filepath.Join(l.dir, "callee"),
		Local: l.product.callee, Pause: l.wave.ring,
		Timeout: time.Duration(l.wave.calls/l.wave.rate)*time.Second + l.wave.hold + time.Minute,
		Args:    []string{"-buff_size", "4194304"}, // else SIPp loses datagrams itself
	}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return err
	}
	if l.callee, err = sipptest.Launch(ctx, p.sipp, s); err != nil {
		return fmt.Errorf("callee: %w", err)
	}
	s.File, s.Dir = filepath.Join(p.scenarios, "uac.xml"), filepath.Join(l.dir, "caller")
	s.Local, s.Remote, s.Pause, s.Service = "", l.product.listen, l.wave.hold, p.number
	s.Rate, s.Calls = l.wave.rate, l.wave.calls
	s.Args = append(s.Args, "-l", strconv.Itoa(l.wave.calls))
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return err
	}
	if l.caller, err = sipptest.Launch(ctx, p.sipp, s); err != nil {
		return fmt.Errorf("caller: %w", err)
	}
	l.probe, err = startProbe(ctx, l.product.listen, p.number, l.wave)
	return err
}

// watch reads the kernel's drop counters as long as the sockets are there.
func (l *load) watch(ctx context.Context) {
	ports := map[string]string{}
	for name, addr := range map[string]string{
		l.product.name: l.product.listen, "caller": l.caller.Local, "callee": l.callee.Local,
	} {
		_, port, _ := net.SplitHostPort(addr)
		ports[port] = name
	}
	most := map[string]int{}
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			l.drops <- most
			return
		case <-every.C:
			now, err := dropped(ports)
			if err != nil {
				continue // a counter only grows: the next look sees it
			}
			for name, n := range now {
				most[name] = max(most[name], n)
			}
		}
	}
}

// end waits until all calls are over and adds up.
func (l *load) end() (Outcome, error) {
	defer os.RemoveAll(l.dir)
	defer l.stop()
	caller, err := l.caller.Wait()
	if err != nil {
		return Outcome{}, fmt.Errorf("caller: %w", err)
	}
	setUp := l.probe.end()
	used, err := l.product.cpu()
	if err != nil {
		return Outcome{}, fmt.Errorf("%s has gone: %w\n%s", l.product.name, err, l.product.said())
	}
	rss, err := l.product.rss()
	if err != nil {
		return Outcome{}, err
	}
	if err := l.callee.Stop(); err != nil {
		return Outcome{}, err
	}
	callee, err := l.callee.Wait()
	if err != nil {
		return Outcome{}, fmt.Errorf("callee: %w", err)
	}
	l.stop()
	o := Outcome{
		Calls:      caller.Successful + len(setUp.times),
		Failed:     max(caller.Failed, callee.Failed) + setUp.lost,
		Resent:     caller.Resent + callee.Resent,
		Repeated:   caller.Repeated + callee.Repeated,
		Unexpected: caller.Unexpected + callee.Unexpected + caller.Stray + callee.Stray,
		Dropped:    <-l.drops, P50: setUp.percentile(50), P99: setUp.percentile(99), RSS: rss,
	}
	o.CPU = perCall(used-l.cpu, o.Calls)
	return o, nil
}

// perCall is in milliseconds.
func perCall(used time.Duration, calls int) float64 {
	return used.Seconds() * 1000 / float64(max(1, calls))
}
