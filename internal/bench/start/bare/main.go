// Command bare sends one request with a token that it is given, and no library.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/regrant/regrant/internal/bench/start/request"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run() error {
	var task struct{ API, Token string }
	if err := json.NewDecoder(os.Stdin).Decode(&task); err != nil {
		return err
	}
	return request.Send(task.API, task.Token)
}
