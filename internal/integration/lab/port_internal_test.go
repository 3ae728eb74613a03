package lab

import (
	"slices"
	"testing"
)

func TestNoTwoTestsGetOnePort(t *testing.T) {
	var taken []int
	for range 200 {
		port := reservePorts(t, 2)
		if slices.Contains(taken, port) || slices.Contains(taken, port+1) {
			t.Fatalf("port %d was given twice", port)
		}
		taken = append(taken, port, port+1)
	}
}
