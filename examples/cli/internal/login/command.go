package login

import (
	"maps"
	"slices"
	"strings"

	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// Command is the command line that logs in to an account of a profile, with these
// arguments in addition.
func Command(profileName, account string, args ...string) string {
	words := []string{"regrant", "login"}
	if profileName != "" && profileName != profile.Default {
		words = append(words, "--profile", profileName)
	}
	if account != profile.Default {
		words = append(words, "--as", account)
	}
	return Line(append(words, args...)...)
}

// First is the command line of the login that makes p, of which there is no file yet.
func First(p profile.Profile, account string) string {
	args := []string{p.Issuer, "--client-id", p.ClientID, "--store", p.Store}
	for _, flag := range [][2]string{
		{"--provider", p.Provider}, {"--path", p.Path}, {"--passphrase-file", p.PassphraseFile}, {"--redirect-url", p.RedirectURL},
		{"--client-secret-env", p.ClientSecret.Env}, {"--client-secret-file", p.ClientSecret.File},
		{"--authorization-endpoint", p.Endpoint.Authorization}, {"--token-endpoint", p.Endpoint.Token},
		{"--device-endpoint", p.Endpoint.Device}, {"--revocation-endpoint", p.Endpoint.Revocation},
	} {
		if flag[1] != "" {
			args = append(args, flag[:]...)
		}
	}
	if p.ClientSecret.Kept {
		args = append(args, "--client-secret")
	}
	return Command(p.Name, account, slices.Concat(args, Scopes(p, nil), Params(p, nil))...)
}

// Line writes a command line so that a shell reads these words. They may come from
// anybody: what does something in a shell is quoted.
func Line(words ...string) string {
	line := make([]string, len(words))
	for i, w := range words {
		w = ui.Text(w, 2000)
		if w == "" || strings.ContainsFunc(w, special) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		line[i] = w
	}
	return strings.Join(line, " ")
}

// special tells whether r may mean something to some shell.
func special(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !letter && !strings.ContainsRune("-_./:+@=", r)
}

// Scopes are the arguments of a login that asks for more scopes than an account of p
// was granted. What is given takes the place of what the profile has, so they repeat
// all that it asks for, and all that was granted: without a list in the profile, that is
// what is asked for by default. wanted may come from anybody; nil: it has what is no
// scope.
func Scopes(p profile.Profile, granted []string, wanted ...string) []string {
	if slices.ContainsFunc(wanted, func(s string) bool { return !isScope(s) }) {
		return nil
	}
	var all, args []string
	for _, s := range slices.Concat(p.Scopes, granted, wanted) {
		if slices.Contains(all, s) || !isScope(s) {
			continue
		}
		all = append(all, s)
		if strings.Contains(s, ",") {
			s = `"` + s + `"` // the flag takes a list
		}
		args = append(args, "--scope", s)
	}
	return args
}

// Identity are the scopes by which the server of p says who logs in. With openid it may
// want offline_access for a refresh token, which it gave without before (OpenID Connect
// Core 1.0 section 11); the SDK knows what a known provider wants.
func Identity(p profile.Profile) []string {
	if p.Known() != nil {
		return []string{"openid"}
	}
	return []string{"openid", "offline_access"}
}

// isScope tells whether s can be a scope (RFC 6749 section 3.3), and has a length that
// somebody may have chosen.
func isScope(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' })
}

// Params are the arguments of a login that sends more parameters than p has, as those
// of Scopes are.
func Params(p profile.Profile, wanted map[string]string) []string {
	all := map[string]string{}
	maps.Copy(all, p.Params)
	maps.Copy(all, wanted)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "--param", name+"="+all[name])
	}
	return args
}
