package ui

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Bar returns a bar of that many columns, of which a part is full.
func (u *UI) Bar(full float64, columns int) string {
	full = min(max(full, 0), 1)
	if !u.Unicode() {
		n := int(math.Round(full * float64(columns)))
		return strings.Repeat("#", n) + strings.Repeat(".", columns-n)
	}
	halves := int(math.Round(full * float64(columns) * 2))
	bar := strings.Repeat("━", halves/2) + strings.Repeat("╸", halves%2)
	return bar + strings.Repeat("·", columns-(halves+1)/2)
}

// Span tells how long d is, as people say it: "45 s", "4 min", "3 h", "12 days".
func Span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Clock is a time that is left, for a countdown: 4:59.
func Clock(d time.Duration) string {
	s := max(int(math.Ceil(d.Seconds())), 0)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
