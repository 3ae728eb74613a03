package main

import (
	"net/http"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestATroubledProgramSaysWhatToDoNext(t *testing.T) {
	s, h := serveAPI(t, func(http.ResponseWriter, *http.Request) {})
	h.login(s, "--profile", "work", "--path", h.path("elsewhere"))
	api := s.URL(clienttest.APIPath)
	broken := newHome(t)
	broken.login(s)
	file := broken.path(".config", "regrant", "profiles", "default.toml")
	broken.write(file[len(broken.dir)+1:], "issuer = 3")
	for _, tc := range []struct {
		what  string
		home  *home
		fault clienttest.Fault
		args  []string
		code  int
		next  string
	}{
		{"another client secret", h, clienttest.Fault{Status: http.StatusUnauthorized, Body: `{"error":"invalid_client"}`}, []string{"token", "--refresh", "-p", "work"}, 5, "has the client secret changed? regrant login --profile work --client-secret"},
		{"a client that may not", h, clienttest.Fault{Status: http.StatusBadRequest, Body: `{"error":"unauthorized_client"}`}, []string{"token", "--refresh"}, 5, "regrant doctor " + s.Issuer()},
		{"a server that says when", h, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7"}}}, []string{"token", "--refresh"}, 4, "try again in 7s"},
		{"a profile that is broken", broken, clienttest.Fault{}, []string{"token"}, 5, "edit or delete " + file},
		{"a profile that is broken, among all", broken, clienttest.Fault{}, []string{"status"}, 5, "edit or delete " + file},
		{"a profile that is broken, at a login", broken, clienttest.Fault{}, []string{"login"}, 5, "edit or delete " + file},
		{"a profile without a name", h, clienttest.Fault{}, []string{"token", "-p", "../x"}, 5, "give another name by --profile"},
		{"no home", h.with("HOME=", "XDG_CONFIG_HOME="), clienttest.Fault{}, []string{"token"}, 5, "set HOME"},
		{"no home for grants", h.with("HOME=", "XDG_CONFIG_HOME="+h.path(".config"), "XDG_DATA_HOME="), clienttest.Fault{}, []string{"token"}, 6, "set HOME"},
		{"no passphrase", h.with("REGRANT_PASSPHRASE_FILE=/nowhere"), clienttest.Fault{}, []string{"token"}, 6, "check the name /nowhere"},
		{"no such directory", h, clienttest.Fault{}, []string{"call", api, "-o", "/nowhere/file"}, 1, "check the name /nowhere/file"},
		{"no such program", h, clienttest.Fault{}, []string{"exec", "--", "no-such-program"}, 127, "check the name of the program"},
		{"a slow API", h, clienttest.Fault{}, []string{"call", api, "-m", "1ns"}, 4, "try again, and give it longer: --max-time 2ns"},
		{"an API without TLS", h, clienttest.Fault{}, []string{"call", "http://api.example.com/me"}, 1, "regrant call https://api.example.com/me"},
	} {
		if tc.fault.Status != 0 {
			s.FailNext(clienttest.TokenPath, tc.fault, -1)
		}
		o := tc.home.run(tc.args...)
		if o.code != tc.code {
			t.Errorf("%s: exit code %d, want %d", tc.what, o.code, tc.code)
		}
		contains(t, o.err, "   next: "+tc.next)
		o = tc.home.run(append([]string{"--json"}, tc.args...)...)
		s.FailNext(clienttest.TokenPath, tc.fault, 0)
		if told := parse[struct{ Hint string }](t, o.err); told.Hint == "" {
			t.Errorf("%s: there is no hint in %s", tc.what, o.err)
		}
	}
}
