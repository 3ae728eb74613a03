package main

import (
	"net/url"
	"time"

	"github.com/regrant/regrant/client"
)

// A setup is what a process needs to know. It holds secrets: a child gets it
// through its standard input, never as an argument or in its environment.
type setup struct {
	Process      string        `json:"process"` // main, p1, p2 and so on
	Issuer       string        `json:"issuer"`
	ClientID     string        `json:"client_id"`
	ClientSecret string        `json:"client_secret,omitempty"`
	Scopes       []string      `json:"scopes,omitempty"`
	Params       url.Values    `json:"params,omitempty"`
	Dir          string        `json:"dir"` // of the store
	Key          []byte        `json:"key"` // of the sealer
	API          string        `json:"api"` // what is called
	Goroutines   int           `json:"goroutines"`
	Every        time.Duration `json:"every"` // between two calls of a goroutine
}

// An order is what main tells a child after its setup. The end of the input is
// the order to stop, also if main is no longer there to give it.
type order struct {
	Hold bool `json:"hold"` // keep the next answer of the token endpoint from the library
}

// A report is what a process tells main, one line of JSON each. It holds no secret.
type report struct {
	Time       time.Time     `json:"time"`
	Process    string        `json:"process"`
	Kind       string        `json:"kind"`
	Text       string        `json:"text,omitempty"`
	Generation uint64        `json:"generation,omitempty"`
	Obtained   time.Time     `json:"obtained,omitzero"`  // the access token
	Lifetime   time.Duration `json:"lifetime,omitempty"` // of it

	numbers
}

// numbers are what a process has counted since it began.
type numbers struct {
	Calls    int64         `json:"calls"`    // that have ended
	Failed   int64         `json:"failed"`   // of them
	Slowest  time.Duration `json:"slowest"`  // of them
	Requests int64         `json:"requests"` // to refresh
	Refusals int64         `json:"refusals"` // of them
}

// Kinds of reports.
const (
	began   = "began"   // to call
	counted = "counted" // nothing but the numbers
	held    = "held"    // an answer of the token endpoint, before the library has seen it
	failed  = "failed"  // a call, for the first time in this process; or the process
	stopped = "stopped" // to call

	chapter   = "chapter"   // what begins now
	noted     = "noted"     // something that main or the server does
	killed    = "killed"    // by main
	recovered = "recovered" // renewed, after another process was killed in a renewal
)

// Kinds that are events of the library.
var (
	loggedIn    = client.LoggedIn.String()
	renewed     = client.Renewed.String()
	adopted     = client.Adopted.String()
	renewFailed = client.RenewFailed.String()
	saveFailed  = client.SaveFailed.String()
	overrun     = client.LeaseOverrun.String()
)
