// Package helper speaks the protocols by which other programs ask for credentials: those
// of git, docker, kubectl and curl. Nothing of it asks anybody, or knows where tokens
// come from.
package helper

import (
	"errors"
	"net"
	"strings"
)

// most bounds what another program says.
const most = 1 << 20

// Hosts are those that get the token, as "git.example.com" or "git.example.com:8443".
// Other programs ask for any host that they are sent to, by a redirect or a submodule.
type Hosts []string

// Check tells what is wrong with the names.
func (h Hosts) Check() error {
	for _, name := range h {
		if name == "" || strings.ContainsAny(name, "/@ ") {
			return errors.New("a host is a name, perhaps with a port: git.example.com:8443")
		}
	}
	return nil
}

// Has tells whether host is one of them.
func (h Hosts) Has(host string) bool {
	for _, name := range h {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}

// errPlain is for a password that anybody on the way could read.
var errPlain = errors.New("the token goes over https only, or to this machine")

// safe tells whether a token may go to a host by a protocol.
func safe(protocol, host string) error {
	if protocol == "https" || protocol == "http" && local(host) {
		return nil
	}
	return errPlain
}

func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
