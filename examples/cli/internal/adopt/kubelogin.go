package adopt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// KubeloginDir is the token cache of kubelogin (https://github.com/int128/kubelogin,
// docs/usage.md: --token-cache-dir).
func KubeloginDir(getenv func(string) string) string {
	if dir := getenv("KUBECACHEDIR"); dir != "" {
		return filepath.Join(dir, "oidc-login")
	}
	return filepath.Join(home(getenv), ".kube", "cache", "oidc-login")
}

// Kubelogin reads a token cache: a file for each server and client, whose name is a
// checksum of both, so that only the ID token tells which. What kubelogin keeps in the
// keychain is not there.
func Kubelogin(dir string) ([]Grant, []Miss, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var grants []Grant
	var missed []Miss
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		g, err := Read(path)
		switch {
		case err != nil:
		case g.Issuer == "" || g.ClientID == "":
			err = errors.New("its ID token does not say which server and client it is for")
		default:
			g.Program = "kubelogin"
			grants = append(grants, g)
			continue
		}
		missed = append(missed, Miss{path, err.Error()})
	}
	return grants, missed, nil
}

// Read reads a file with one token.
func Read(path string) (Grant, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Grant{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return Grant{}, errors.New("it is no file with a token")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return Grant{}, err
	}
	return File(path, data, info.ModTime())
}
