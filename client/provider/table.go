package provider

import (
	_ "embed" // the table
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed providers.md
var source string

// sections are the providers of the table, each as it is written.
func sections() []string { return strings.Split(source, "\n## ")[1:] }

// cell returns the value of a row without reading the others.
func cell(section, name string) string {
	_, rest, _ := strings.Cut(section, "\n| "+name+" | ")
	value, _, _ := strings.Cut(rest, " |")
	return value
}

// parse reads a section. Whatever does not belong there is an error: the table is
// part of the program, and a test reads all of it.
func parse(section string) (*Profile, error) {
	title, rows, _ := strings.Cut(section, "\n")
	p, links := &Profile{Title: title}, map[string]link{}
	lines := strings.Split(rows, "\n")
	for _, line := range lines { // the links come behind the rows
		if err := readLink(links, line); err != nil {
			return nil, fmt.Errorf("%s: %w", title, err)
		}
	}
	for _, line := range lines {
		name, value, from, ok := row(line)
		if !ok {
			continue
		}
		if err := p.add(name, value, from, links); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", title, name, err)
		}
	}
	return p, nil
}

// must is parse of the embedded table.
func must(section string) *Profile {
	p, err := parse(section)
	if err != nil {
		panic("provider: providers.md: " + err.Error())
	}
	return p
}

// A link is the definition of a source below a table.
type link struct{ url, date string }

func readLink(links map[string]link, line string) error {
	if !strings.HasPrefix(line, "[") {
		return nil
	}
	name, rest, _ := strings.Cut(line, "]: ")
	address, title, ok := strings.Cut(rest, " ")
	if _, known := links[name[1:]]; known || !ok {
		return fmt.Errorf("%s] is defined twice, or without a date", name)
	}
	links[name[1:]] = link{address, strings.Trim(title, `"`)}
	return nil
}

// row reads one line of a table: | name | value | [source] unverified |.
func row(line string) (name, value, from string, ok bool) {
	if !strings.HasPrefix(line, "|") {
		return "", "", "", false
	}
	cells := strings.Split(line, "|")
	if len(cells) != 5 || cells[0] != "" || cells[4] != "" {
		return "", "", "", false
	}
	name, value, from = strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
	return name, value, from, name != "fact" && !strings.HasPrefix(name, "---")
}

func (p *Profile) add(name, value, from string, links map[string]link) error {
	if name == "name" {
		p.Name = value
		return nil
	}
	from, unverified := strings.CutSuffix(from, " unverified")
	l, ok := links[strings.Trim(from, "[]")]
	if !ok {
		return fmt.Errorf("the source %q is not defined", from)
	}
	p.Facts = append(p.Facts, Fact{Name: name, Value: value, Verified: !unverified, Source: l.url, Date: l.date})
	return p.set(name, value)
}

// set puts a fact into the field that programs use.
func (p *Profile) set(name, value string) (err error) {
	switch name {
	case "issuer":
		p.Issuers = list(value, "by name")
	case "unsupported":
		p.Unsupported = value
	case "authorize":
		p.Discovery = value == "discovered"
		p.AuthURL = address(value)
	case "token":
		p.TokenURL = value
	case "refresh":
		p.RefreshURL = value
	case "device":
		p.DeviceURL = value
	case "revoke":
		p.RevocationURL = address(value)
	case "params":
		p.Params, err = params(value)
	case "token params":
		p.TokenParams, err = params(value)
	case "scopes":
		p.Scopes = list(value, "none")
	case "client auth":
		p.ClientAuth, err = pick(value, clientAuths)
	case "rotation":
		p.Rotation, err = pick(value, rotations)
	case "reuse":
		err = p.setReuse(value)
	case "repeat brings":
		p.SamePair, err = pick(value, map[string]bool{"same pair": true, "new pair": false, "unknown": false})
	case "access lifetime":
		p.AccessLifetime, err = lifetime(value)
	case "idle":
		p.Idle, err = lifetime(value)
	case "absolute":
		p.Absolute, err = lifetime(value)
	case "oddity":
		err = p.Answer.set(value)
	case "dead":
		p.Answer.Dead = list(value, "")
	case "advice":
		p.Advice = value
	case "ended":
		p.Ended = value
	case "note":
	default:
		err = fmt.Errorf("there is no such fact")
	}
	return err
}

var clientAuths = map[string]string{
	"basic": "client_secret_basic", "body": "client_secret_post", "public": "none", "discovered": "", "unknown": "",
}

var rotations = map[string]Rotation{
	"unknown": RotationUnknown, "never": RotationNever, "always": RotationAlways, "daily": RotationDaily, "setting": RotationSetting,
}

var reuses = map[string]Reuse{
	"unknown": ReuseUnknown, "not replaced": ReuseNone, "overlap": ReuseOverlap, "grace": ReuseGrace, "until use": ReuseUntilUse, "strict": ReuseStrict,
}

// setReuse reads "grace 30s", "grace setting", "until use 8h" and words alone.
func (p *Profile) setReuse(value string) (err error) {
	word, rest := value, ""
	for _, lasting := range []string{"grace", "until use"} {
		if after, ok := strings.CutPrefix(value, lasting+" "); ok {
			word, rest = lasting, after
		}
	}
	if p.Reuse, err = pick(word, reuses); err == nil && rest != "" {
		p.Grace, err = lifetime(rest)
	}
	return err
}

func (a *Answer) set(oddity string) error {
	for _, o := range []struct {
		words string
		set   func(rest string) error
	}{
		{"errors with status ", func(s string) (err error) { a.ErrorStatus, err = strconv.Atoi(s); return err }},
		{"error is an object", func(string) error { a.ErrorObject = true; return nil }},
		{"error in ", func(s string) error {
			a.ErrorMember, a.ErrorNone, _ = strings.Cut(s, ", ")
			a.ErrorNone = strings.TrimSuffix(a.ErrorNone, " is none")
			return nil
		}},
		{"ok false", func(string) error { a.OK = true; return nil }},
		{"nested in ", func(s string) error {
			a.Nested, a.NestedOnce = strings.CutSuffix(s, ", at the login only")
			return nil
		}},
		{"tells ", func(s string) error { a.RefreshExpires = s; return nil }},
		{"scopes separated by commas", func(string) error { a.ScopeSeparator = ","; return nil }},
		{"token_type missing", func(string) error { a.TokenTypes = []string{""}; return nil }},
		{"token_type ", func(s string) error { a.TokenTypes = strings.Fields(s); return nil }},
		{"expires_in missing, then ", func(s string) (err error) {
			a.NoLifetime = true
			a.Lifetime, err = lifetime(s)
			return err
		}},
		{"expires_in missing", func(string) error { a.NoLifetime = true; return nil }},
		{"expires_in in milliseconds", func(string) error { a.Milliseconds = true; return nil }},
		{"expires_in as a string", func(string) error { a.Text = true; return nil }},
		{"form answers without Accept", func(string) error { a.Form = true; return nil }},
		{"request in JSON", func(string) error { a.JSONRequest = true; return nil }},
	} {
		if rest, ok := strings.CutPrefix(oddity, o.words); ok {
			return o.set(rest)
		}
	}
	return fmt.Errorf("there is no such oddity: %q", oddity)
}

func pick[T any](value string, from map[string]T) (T, error) {
	v, ok := from[value]
	if !ok {
		return v, fmt.Errorf("there is no such value: %q", value)
	}
	return v, nil
}

// list splits at commas. The word for an empty list is empty.
func list(value, empty string) []string {
	if value == empty {
		return nil
	}
	return strings.Split(value, ", ")
}

func params(value string) (url.Values, error) {
	if value == "none" {
		return nil, nil
	}
	v := url.Values{}
	for pair := range strings.FieldsSeq(value) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no parameter", pair)
		}
		v.Set(name, value)
	}
	return v, nil
}

// address is the endpoint, or "" for the words that stand for none.
func address(value string) string {
	switch value {
	case "discovered", "none", "unknown":
		return ""
	}
	return value
}

// lifetime reads a duration, with days; or a word for one that is not fixed.
func lifetime(value string) (time.Duration, error) {
	switch value {
	case "none", "setting", "unknown":
		return 0, nil
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(value)
}
