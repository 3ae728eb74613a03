package fleet

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// HowLong measures what a rotation waits for, with nobody else at work in the
// store: the figures are for the documentation.
func HowLong(t *testing.T, s tokenstore.Store) {
	t.Helper()
	data := make([]byte, 8<<10)
	_, _ = rand.Read(data) // never fails
	if _, err := s.Save(t.Context(), key, data, ""); err != nil {
		t.Fatal(err)
	}
	const times = 300
	var loads, saves []time.Duration
	for range times {
		began := time.Now()
		got, v, err := s.Load(t.Context(), key)
		loads = append(loads, time.Since(began))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("Load returned not what was saved, error %v", err)
		}
		began = time.Now()
		if _, err := s.Save(t.Context(), key, data, v); err != nil {
			t.Fatal(err)
		}
		saves = append(saves, time.Since(began))
	}
	text := fmt.Sprintf("a record of 8 KiB: Load %s, Save %s", Spread(loads), Spread(saves))
	t.Log(text)
	t.Attr("latency", text)
}

// Spread tells the median and the 99th percentile. It sorts all.
func Spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%v (median), %v (99 %%)", all[len(all)/2].Round(time.Microsecond), all[len(all)*99/100].Round(time.Microsecond))
}
