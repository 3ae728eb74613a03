package sqlstores_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"
)

// latency measures what a rotation waits for, with nobody else at work on the
// table: the figures are for the documentation.
func (d *database) latency(t *testing.T) {
	s := d.newTable(t).store(t)
	data := make([]byte, 8<<10)
	_, _ = rand.Read(data)
	if _, err := s.Save(t.Context(), key, data, ""); err != nil {
		t.Fatal(err)
	}
	const times = 300
	var loads, saves []time.Duration
	for range times {
		began := time.Now()
		_, v, err := s.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		loads = append(loads, time.Since(began))
		began = time.Now()
		if _, err := s.Save(t.Context(), key, data, v); err != nil {
			t.Fatal(err)
		}
		saves = append(saves, time.Since(began))
	}
	text := fmt.Sprintf("a record of 8 KiB: Load %s, Save %s", spread(loads), spread(saves))
	t.Log(text)
	t.Attr("latency", text)
}

func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%v (median), %v (99 %%)", all[len(all)/2].Round(time.Microsecond), all[len(all)*99/100].Round(time.Microsecond))
}
