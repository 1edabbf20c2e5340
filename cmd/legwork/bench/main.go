// Command bench is Legwork's yardstick: SIPp calls SIPp over UDP on loopback
// through Legwork, and in the same run through Debian's Kamailio as a stateful
// record-routing proxy, because only figures of one run can be compared.
//
// It knows Legwork from outside alone: its command line, its configuration file
// and its metrics. It is run from the module's root (`make bench`). Start
// reading at run; a product is product.go, one stretch of calls is load.go, and
// what is asked of them is ratio.go, held.go and most.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// plan is the command line.
type plan struct {
	subject   string
	legwork   string
	script    string
	number    string
	scenarios string
	rates     []int
	seconds   int
	rounds    int
	ring      time.Duration
	hold      time.Duration
	ratio     bool
	held      int
	most      bool
	mostRate  int
	mostTime  int
	json      string

	timers   bool   // each leg has a session timer
	sipp     string // path, found by run
	kamailio string // path, found by run
}

func main() {
	p, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed, err := run(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if missed > 0 {
		os.Exit(1)
	}
}

func parse(args []string) (plan, error) {
	p := plan{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&p.ratio, "ratio", false, "CPU per call against Kamailio, in alternating rounds")
	f.IntVar(&p.held, "held", 0, "memory of so many held calls, and what is left of them")
	f.BoolVar(&p.most, "max", false, "the most calls a second that must pass spotless")
	rates := f.String("rate", "400,1000", "calls a second of --ratio, one or more")
	f.IntVar(&p.seconds, "seconds", 8, "length of a round of --ratio")
	f.IntVar(&p.rounds, "rounds", 3, "rounds of --ratio")
	f.IntVar(&p.mostRate, "max-rate", 2000, "calls a second of --max")
	f.IntVar(&p.mostTime, "max-seconds", 30, "length of --max")
	f.DurationVar(&p.ring, "ring", 10*time.Millisecond, "time between 180 and 200")
	f.DurationVar(&p.hold, "hold", time.Second, "time between ACK and BYE")
	f.StringVar(&p.subject, "subject", "legwork", "what is measured: legwork, or kamailio to try the yardstick on itself")
	f.StringVar(&p.legwork, "legwork", "bin/legwork", "the built program")
	f.StringVar(&p.script, "script", "examples/hello/main.lua", "the script that decides each call")
	f.StringVar(&p.number, "number", "4711", "the number that is called; the script must route it to trunk pbx")
	f.StringVar(&p.scenarios, "scenarios", "cmd/legwork/testdata/sipp", "where uac.xml and uas.xml are")
	f.StringVar(&p.json, "json", "", "write the report to this file as JSON, too")
	if err := f.Parse(args); err != nil {
		return p, err
	}
	for _, text := range strings.Split(*rates, ",") {
		rate, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || rate < 1 {
			return p, fmt.Errorf("--rate %q: want positive numbers, such as 400,1000", *rates)
		}
		p.rates = append(p.rates, rate)
	}
	return p, p.check()
}

func (p plan) check() error {
	switch {
	case p.subject != "legwork" && p.subject != "kamailio":
		return fmt.Errorf("--subject %q: want legwork or kamailio", p.subject)
	case p.seconds < 1 || p.rounds < 1 || p.mostRate < 1 || p.mostTime < 1 || p.held < 0:
		return errors.New("rates, rounds and lengths are positive numbers")
	case !p.ratio && !p.most && p.held == 0:
		return errors.New("nothing to measure: want --ratio, --held N or --max")
	case p.held > 0 && p.subject != "legwork":
		return errors.New("--held reads Legwork's metrics: it needs --subject legwork")
	}
	return nil
}

// run measures what the plan asks for and says how many bounds were missed.
func run(ctx context.Context, p plan) (missed int, err error) {
	if p.sipp, err = exec.LookPath("sipp"); err != nil {
		return 0, errors.New("sipp is not in PATH: apt-get install sip-tester")
	}
	if p.ratio || p.subject == "kamailio" {
		if p.kamailio, err = lookKamailio(); err != nil {
			return 0, err
		}
	}
	r := report{Missed: []string{}}
	if p.ratio {
		for _, rate := range p.rates {
			if err := p.measureRatio(ctx, rate, &r); err != nil {
				return 0, err
			}
		}
	}
	if p.held > 0 {
		if err := p.measureHeld(ctx, &r); err != nil {
			return 0, err
		}
	}
	if p.most {
		if err := p.measureMost(ctx, &r); err != nil {
			return 0, err
		}
	}
	r.print(os.Stdout)
	if p.json != "" {
		err = r.save(p.json)
	}
	return len(r.Missed), err
}

// lookKamailio finds Kamailio where Debian puts it, too: /usr/sbin is in root's
// PATH alone.
func lookKamailio() (string, error) {
	for _, name := range []string{"kamailio", "/usr/sbin/kamailio"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("kamailio is not in PATH: apt-get install kamailio")
}
