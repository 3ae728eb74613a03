package main

import "time"

// processorTime is the time of the processor that the parts of a fleet have used.
// On a machine that all of them share, it tells what the speed of a fleet is made
// of. It is zero where the system does not tell.
type processorTime struct{ members, server, store time.Duration }

func (p processorTime) plus(o processorTime) processorTime {
	return processorTime{p.members + o.members, p.server + o.server, p.store + o.store}
}

func (p processorTime) times(by float64) processorTime {
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) * by) }
	return processorTime{scaled(p.members), scaled(p.server), scaled(p.store)}
}
