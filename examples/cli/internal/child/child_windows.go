package child

import "os"

// passed are the signals that are for the program that runs. A console sends ^C to
// all that run in it.
var passed = []os.Signal{os.Interrupt}

func fromTerminal(s os.Signal) bool { return s == os.Interrupt }

func code(p *os.ProcessState) int { return p.ExitCode() }

// Become runs another program to its end: Windows has no way to become one.
func Become(command, environ []string) error {
	return Run(command, environ, os.Stdin, os.Stdout, os.Stderr, true)
}
