package helper

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// ErrNotFound says that there is nothing for a registry. The text is what docker
// recognizes (credentials.NewErrCredentialsNotFound of docker-credential-helpers).
var ErrNotFound = errors.New("credentials not found in native keychain")

// DockerCredentials are what docker and its helpers exchange.
type DockerCredentials struct {
	ServerURL string `json:"ServerURL"`
	Username  string `json:"Username"`
	Secret    string `json:"Secret"`
}

// ReadDockerServer reads what get and erase are told: the name of a registry, or its
// address.
func ReadDockerServer(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, most))
	server := strings.TrimSpace(string(data))
	if err == nil && server == "" {
		err = errors.New("no credentials server URL") // in docker's words
	}
	return server, err
}

// ReadDockerCredentials reads what store is told.
func ReadDockerCredentials(r io.Reader) (c DockerCredentials, err error) {
	err = json.NewDecoder(io.LimitReader(r, most)).Decode(&c)
	return c, err
}

// RegistryHost returns the host of a registry, if a token may go there. Without a scheme
// docker uses https, and http for this machine.
func RegistryHost(server string) (string, error) {
	scheme, rest, ok := strings.Cut(server, "://")
	if !ok {
		scheme, rest = "https", server
	}
	host, _, _ := strings.Cut(rest, "/")
	return host, safe(scheme, host)
}
