package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// processors tells what this process, which is the server, its members, and all
// others that come from it, which are the store, have used so far (proc_pid_stat(5)).
func processors(members []int) (p processorTime) {
	type process struct {
		parent int
		used   time.Duration
	}
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var pid, parent int
		var user, system, childrenUser, childrenSystem int64
		// The name of the program is in parentheses, and may hold some itself.
		end := strings.LastIndex(string(text), ")")
		fields := strings.Fields(string(text[end+1:]))
		if end < 0 || len(fields) < 15 {
			continue
		}
		_, _ = fmt.Sscan(string(text), &pid)
		_, _ = fmt.Sscan(strings.Join([]string{fields[1], fields[11], fields[12], fields[13], fields[14]}, " "),
			&parent, &user, &system, &childrenUser, &childrenSystem)
		all[pid] = process{parent, time.Duration(user+system+childrenUser+childrenSystem) * tick}
	}
	self := os.Getpid()
	for pid, x := range all {
		switch {
		case pid == self:
			p.server += x.used
		case slices.Contains(members, pid):
			p.members += x.used
		default:
			for up := x.parent; up > 1; up = all[up].parent {
				if up == self {
					p.store += x.used
				}
			}
		}
	}
	return p
}
