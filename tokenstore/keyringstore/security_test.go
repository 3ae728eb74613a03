package keyringstore

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

// On macOS go-keyring writes a command to /usr/bin/security, which has its own idea
// of a line and of quotes (SecurityTool/readline.c and security.c of Apple's open
// source). The tests here build what go-keyring has for macOS, and run it against a
// tool that reads as that one does.

// securityVariable makes this test binary that tool, and says where its items are.
const securityVariable = "REGRANT_TEST_SECURITY"

// security is the tool. It returns its exit status.
func security(items string, args []string, in io.Reader) int {
	if len(args) != 1 || args[0] != "-i" {
		return command(items, args)
	}
	status := 0
	for r := bufio.NewReader(in); ; {
		line, more := readLine(r)
		if !more {
			return status
		}
		status = command(items, splitLine(line))
	}
}

// readLine reads up to a newline, or as many bytes as the buffer of the tool has
// room for: then the rest of the line, if only its newline, is the next line. What
// the end of the input cuts short is dropped.
func readLine(r *bufio.Reader) (line string, more bool) {
	const room = 4096 - 1
	var b strings.Builder
	for b.Len() < room {
		c, err := r.ReadByte()
		if err != nil {
			return "", false
		}
		if c == '\n' {
			break
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// splitLine splits as no shell does: a quote opens at the beginning of a word only,
// and ends the word; a backslash escapes the next byte inside of both kinds of
// quotes, too.
func splitLine(line string) (words []string) {
	line, _, _ = strings.Cut(line, "\x00")
	var word strings.Builder
	var quote byte
	inside, escaped := false, false
	end := func() {
		words = append(words, word.String())
		word.Reset()
		inside, quote = false, 0
	}
	for i := range len(line) {
		c := line[i]
		space := strings.IndexByte(" \t\n\v\f\r", c) >= 0
		switch {
		case escaped:
			word.WriteByte(c)
			escaped = false
		case !inside && space:
		case !inside && (c == '"' || c == '\''):
			inside, quote = true, c
		case c == '\\':
			inside, escaped = true, true
		case quote != 0 && c == quote, quote == 0 && space:
			end()
		default:
			inside = true
			word.WriteByte(c)
		}
	}
	if inside {
		end()
	}
	return words
}

// command runs one of the two commands that are used.
func command(items string, args []string) int {
	if len(args) == 0 {
		return 0
	}
	finding := args[0] == "find-generic-password"
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	service, account := flags.String("s", "", ""), flags.String("a", "", "")
	secret, _ := flags.String("w", "", ""), flags.Bool("U", false, "")
	if finding && len(args) == 5 && args[3] == "-wa" { // -w is a flag there
		args = []string{args[0], args[1], args[2], "-a", args[4]}
	}
	if flags.Parse(args[1:]) != nil {
		return 2
	}
	kept := map[string]string{}
	if data, err := os.ReadFile(items); err == nil {
		_ = json.Unmarshal(data, &kept)
	}
	name := *service + "\x00" + *account
	switch args[0] {
	case "find-generic-password":
		if _, ok := kept[name]; !ok {
			fmt.Fprintln(os.Stderr, "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain.")
			return 44
		}
		fmt.Println(kept[name])
		return 0
	case "add-generic-password":
		kept[name] = *secret
		data, _ := json.Marshal(kept)
		if os.WriteFile(items, data, 0o600) != nil {
			return 1
		}
		return 0
	}
	return 1 // no such command
}

// A mac is go-keyring for macOS, as a program of its own.
type mac struct{ program, self, items string }

const macProgram = `package main

import (
	"fmt"
	"io"
	"os"

	"mac/keyring"
)

func main() {
	var secret string
	var err error
	if os.Args[1] == "get" {
		secret, err = keyring.Get(os.Args[2], os.Args[3])
	} else {
		in, _ := io.ReadAll(os.Stdin)
		err = keyring.Set(os.Args[2], os.Args[3], string(in))
	}
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	fmt.Print(secret)
}
`

func newMac(t *testing.T) *mac {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("what is written does not depend on the system that this runs on, and there may be no Go here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	source, dir := goCommand(t, ".", "list", "-f", "{{.Dir}}", "github.com/zalando/go-keyring"), t.TempDir()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"keyring.go": "keyring/keyring.go", "keyring_fallback.go": "keyring/fallback.go",
		"keyring_darwin.go": "keyring/mac.go", "internal/shellescape/shellescape.go": "internal/shellescape/shellescape.go"} {
		content, err := os.ReadFile(filepath.Join(source, from))
		if err != nil {
			t.Fatal(err)
		}
		write(to, []byte(strings.NewReplacer("github.com/zalando/go-keyring/internal", "mac/internal", `"/usr/bin/security"`, fmt.Sprintf("%q", self)).Replace(string(content))))
	}
	write("go.mod", []byte("module mac\n\ngo 1.26\n"))
	write("main.go", []byte(macProgram))
	m := &mac{filepath.Join(dir, "mac.exe"), self, filepath.Join(dir, "items.json")}
	goCommand(t, dir, "build", "-o", m.program, ".")
	return m
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+home, "GOWORK=off", "GOFLAGS=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

func (m *mac) run(secret string, args ...string) (string, error) {
	cmd := exec.Command(m.program, args...)
	cmd.Env = append(os.Environ(), securityVariable+"="+m.items)
	cmd.Stdin = strings.NewReader(secret)
	out, err := cmd.Output()
	if string(out) == keyring.ErrNotFound.Error() {
		return "", keyring.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

func (m *mac) Get(service, account string) (string, error) { return m.run("", "get", service, account) }
func (m *mac) Set(service, account, secret string) error {
	_, err := m.run(secret, "set", service, account)
	return err
}

func TestFieldCase_zalando_go_keyring_153_MacOSReadsWhatIsWrittenToIt(t *testing.T) {
	m := newMac(t)
	names := []string{"my-cli", "My.CLI_2", strings.Repeat("n", 64)}
	for _, name := range names {
		dir := filepath.Join(t.TempDir(), "grants")
		open := func() *Store { s := newStore(name, m); s.Dir = dir; return s }
		if err := open().Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		save(t, open(), "me", "data", "")
		holds(t, open(), "me", "data")
	}
	data, err := os.ReadFile(m.items)
	if err != nil {
		t.Fatal(err)
	}
	var items map[string]string
	if err := json.Unmarshal(data, &items); err != nil || len(items) != len(names) {
		t.Errorf("%d items, %v", len(items), err)
	}
	for item, value := range items {
		if line := len(item) + len(value) + len("add-generic-password -U -s -a -w \n"); line > 300 {
			t.Errorf("a line of %d bytes: the limit is 4096", line)
		}
	}
	if err := os.Remove(m.items); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "grants")
	s := newStore("my-cli", m)
	s.Dir = dir
	save(t, s, "me", "data", "")
	if err := os.Remove(m.items); err != nil {
		t.Fatal(err)
	}
	s = newStore("my-cli", m)
	s.Dir = dir
	if _, _, err := s.Load(t.Context(), key("me")); !errors.Is(err, ErrKeyLost) || !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("without its item: %v", err)
	}
}

// The names that New refuses are those that go wrong there, and say nothing.
func TestMacOSMisreadsTheNamesThatAreRefused(t *testing.T) {
	m := newMac(t)
	for _, name := range []string{"it's", `back\slash`, "two\nlines", "x\nadd-generic-password -U -s injected -a a -w w\n"} {
		if validName.MatchString(name) {
			t.Errorf("%q is accepted", name)
		}
		setErr := m.Set(name, "account", "secret")
		if got, err := m.Get(name, "account"); err == nil && got == "secret" {
			t.Errorf("%q: it works, so why is it refused? Set returned %v", name, setErr)
		}
	}
	if got, err := m.Get("injected", "a"); err != nil || got != "w" {
		t.Errorf("the injected command has stored %q, %v", got, err)
	}
	// The newline of a line of 4096 bytes is the next command, which succeeds
	// whatever became of the first (zalando/go-keyring#153). So an error is lost, and
	// the key is read back.
	m.items = filepath.Join(t.TempDir(), "absent", "items.json") // nothing can be stored
	const line = "add-generic-password -U -s s -a a -w go-keyring-base64:\n"
	long := strings.Repeat("s", (4096-len(line))/4*3)
	account := "a" + strings.Repeat("a", (4096-len(line))%4)
	if err := m.Set("s", account, long); err != nil {
		t.Errorf("a line of 4096 bytes: %v", err)
	}
	if err := m.Set("s", account, long[4:]); err == nil {
		t.Error("a shorter line that fails: no error")
	}
}
