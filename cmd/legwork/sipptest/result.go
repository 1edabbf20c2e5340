package sipptest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The files SIPp writes in its folder.
const (
	statFile    = "stat.csv"
	errorFile   = "errors.log"
	messageFile = "messages.log"
)

// Result is what SIPp counted.
type Result struct {
	Successful int
	Failed     int
	Resent     int // messages it sent again because no answer came in time
	Repeated   int // messages that reached it a second time
	Unexpected int // messages that are not next in the scenario, or come out of order
	Stray      int // messages of no call, or of one that had ended
}

// hiccups is how many messages of a run may come or go twice: on a busy machine
// half a second (T1) is over before somebody has had its turn. A product that
// repeats without need does so in each call, and until it is answered.
const hiccups = 2

// Clean says why a run was not spotless; nil when each call succeeded and no more
// messages than hiccups came or went twice.
func (r Result) Clean() error {
	if r.Successful > 0 && r.Failed+r.Unexpected+r.Stray == 0 && r.Resent+r.Repeated <= hiccups {
		return nil
	}
	return fmt.Errorf("not clean: %d calls succeeded, %d failed; messages: %d resent, %d repeated, %d unexpected, %d stray",
		r.Successful, r.Failed, r.Resent, r.Repeated, r.Unexpected, r.Stray)
}

func (p *Process) result() (Result, error) {
	stats, err := lastRow(filepath.Join(p.dir, statFile))
	if err != nil {
		return Result{}, err
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "*_counts.csv"))
	if err != nil || len(files) != 1 {
		return Result{}, errors.Join(fmt.Errorf("sipp: %d files of message counts, not one, in %s", len(files), p.dir), err)
	}
	counts, err := lastRow(files[0])
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Successful: stats["SuccessfulCall(C)"],
		Failed:     stats["FailedCall(C)"],
		Stray:      stats["OutOfCallMsgs(C)"] + stats["DeadCallMsgs(C)"],
	}
	r.addMessages(counts)
	return r, nil
}

// addMessages reads columns such as 0_INVITE_Sent, 0_INVITE_Retrans, 1_100_Recv
// and 1_100_Unexp: _Retrans of a step that sends is a message resent.
func (r *Result) addMessages(counts map[string]int) {
	for column, n := range counts {
		if strings.HasSuffix(column, "_Unexp") {
			r.Unexpected += n
			continue
		}
		step, ok := strings.CutSuffix(column, "_Retrans")
		if !ok {
			continue
		}
		if _, sends := counts[step+"_Sent"]; sends {
			r.Resent += n
		} else {
			r.Repeated += n
		}
	}
}

// lastRow reads the columns of SIPp's last line that are numbers: its counters
// are cumulative.
func lastRow(file string) (map[string]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("sipp statistics: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.Comma = ';'
	in.FieldsPerRecord = -1
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("sipp statistics: %w", err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("sipp statistics: %s has no figures", file)
	}
	names, last := rows[0], rows[len(rows)-1]
	row := make(map[string]int, len(names))
	for i, name := range names {
		if i >= len(last) {
			break
		}
		if n, err := strconv.Atoi(last[i]); err == nil {
			row[name] = n
		}
	}
	return row, nil
}
