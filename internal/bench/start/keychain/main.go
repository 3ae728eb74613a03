// Command keychain reads one entry of the keychain, and then does what bare does.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/internal/bench/start/request"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "keychain:", err)
		os.Exit(1)
	}
}

func run() error {
	var task struct{ API, Token, Keychain string }
	if err := json.NewDecoder(os.Stdin).Decode(&task); err != nil {
		return err
	}
	if _, err := keyring.Get(task.Keychain, "an entry"); err != nil {
		return err
	}
	return request.Send(task.API, task.Token)
}
