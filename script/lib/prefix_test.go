package lib

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

const prefixes = "\xef\xbb\xbfprefix,carrier,\"cents, net\"\r\n" +
	"# Germany\r\n" +
	"+49,a,1.5\r\n\r\n" +
	"4930,\"b, \"\"the\"\" second\",0.5\r\n" +
	"\"49301234\",c,\n" +
	"1,d,2"

func TestLongestPrefixIsFound(t *testing.T) {
	table := parse(t, prefixes)
	for number, want := range map[string]string{
		"+4989123": "a", "4989": "a", "+49": "a", "493": "a", "4930": `b, "the" second`, "+49301235": `b, "the" second`,
		"+4930123499": "c", "49301234": "c", "+12025550123": "d", "4": "", "": "", "+": "", "33": "", "1" + strings.Repeat("9", 500): "d",
	} {
		got := ""
		if row, ok := table.Longest(number); ok {
			got = rowOf(table, row)["carrier"]
		}
		if got != want {
			t.Errorf("Longest(%q) = %q, want %q", number, got, want)
		}
	}
}

func TestRowIsFoundByItsWholeKeyOnly(t *testing.T) {
	table := parse(t, prefixes)
	for _, key := range []string{"493", "49301", "", "+", "493012345", strings.Repeat("4", 65)} {
		if _, ok := table.Get(key); ok {
			t.Errorf("Get(%q) found something", key)
		}
	}
	row, ok := table.Get("+49301234")
	if got := rowOf(table, row); !ok || len(got) != 3 || got["prefix"] != "49301234" || got["cents, net"] != "" {
		t.Errorf("Get = %v, %v", got, ok)
	}
}

func TestBrokenTablesNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "header",
		"\n# nothing\n":          "header",
		"a,a\n":                  "line 1: two columns",
		"a,\n":                   "line 1: a header has",
		"a,b\n1\n":               "line 2: 1 fields",
		"a,b\n1,2,3\n":           "line 2: 3 fields",
		"a,b\n\n,2\n":            "line 3: the key",
		"a,b\n\"1,2\n":           "line 2: a quote is not closed",
		"a,b\n\"1\"x,2\n":        "line 2: text after",
		"a,b\n1,x\"y\n":          "line 2: a quote inside",
		"a,b\n1,2\n#\n+1,3\n":    "line 4: key \"1\" is there twice, first in line 2",
		"a\n" + pad("1", 65):     "line 2: the key",
		strings.Repeat("a,", 65): "line 1: ",
	} {
		if _, err := ParseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTable(%q): %v, want %q", text, err, want)
		}
	}
}

func TestLongestPrefixAgreesWithTryingThemAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	keys := map[string]bool{}
	text := "key\n"
	for len(keys) < 500 {
		if k := fmt.Sprint(r.IntN(int(1) << r.IntN(20))); !keys[k] {
			keys[k] = true
			text += k + "\n"
		}
	}
	table := parse(t, text)
	for range 5000 {
		number, want := fmt.Sprint(r.IntN(1<<30)), ""
		for n := range len(number) + 1 {
			if keys[number[:n]] {
				want = number[:n]
			}
		}
		row, ok := table.Longest(number)
		if got := rowOf(table, row)["key"]; ok != (want != "") || ok && got != want {
			t.Fatalf("Longest(%s) = %q, %v; want %q", number, got, ok, want)
		}
	}
}

func TestFileIsReadOncePerGeneration(t *testing.T) {
	reads := 0
	ts := NewTables(func(name string) ([]byte, error) {
		reads++
		if name != "p.csv" {
			return nil, fs.ErrNotExist
		}
		return []byte(prefixes), nil
	})
	a, err := ts.Load("p.csv")
	b, _ := ts.Load("p.csv")
	if a == nil || a != b || reads != 1 {
		t.Errorf("%p and %p after %d reads: %v", a, b, reads, err)
	}
	if _, err := ts.Load("q.csv"); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(prefixes), "+493012345")
	f.Add([]byte("a,b\n1,\"\"\"\"\n"), "1")
	f.Fuzz(func(t *testing.T, text []byte, number string) {
		table, err := ParseTable(text)
		if err != nil {
			return
		}
		for row := range table.Len() {
			if got, ok := table.Get(string(table.key(uint32(row)))); !ok || got != row {
				t.Fatalf("row %d is found as %d, %v", row, got, ok)
			}
		}
		if row, ok := table.Longest(number); ok && !strings.HasPrefix(strings.TrimLeft(number, "+"), string(table.key(uint32(row)))) {
			t.Fatalf("Longest(%q) = %q", number, table.key(uint32(row)))
		}
	})
}

// BenchmarkMillionPrefixes is what a large rate deck costs.
func BenchmarkMillionPrefixes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	text, seen := bytes.NewBufferString("prefix,carrier,rate\n"), map[int]bool{}
	for len(seen) < 1_000_000 {
		if k := r.IntN(9_000_000_000) + 1_000_000; !seen[k] {
			seen[k] = true
			fmt.Fprintf(text, "%d,carrier-%d,0.0%d\n", k, k%50, k%1000)
		}
	}
	seen = nil
	before := heap()
	start := time.Now()
	table, err := ParseTable(text.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	used := heap() - before + uint64(text.Cap())
	numbers := make([]string, 4096)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+%d%03d", r.IntN(9_000_000_000)+1_000_000, i%1000)
	}
	for i := 0; b.Loop(); i++ {
		table.Longest(numbers[i%len(numbers)])
	}
	b.ReportMetric(took.Seconds(), "s/load")
	b.ReportMetric(float64(used)/1e6, "MB")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func pad(s string, n int) string { return strings.Repeat(s, n) }

func parse(t *testing.T, text string) *Table {
	t.Helper()
	table, err := ParseTable([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func rowOf(t *Table, row int) map[string]string {
	fields := map[string]string{}
	t.Row(row, func(column, value string) { fields[column] = value })
	return fields
}
