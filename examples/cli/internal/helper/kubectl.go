package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// kubeVersions are those of the API that look alike here. The first is for a kubectl
// that does not tell.
var kubeVersions = []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}

// KubeInfoVariable has what kubectl tells a plugin.
const KubeInfoVariable = "KUBERNETES_EXEC_INFO"

// KubeVersion returns the version of the API in which kubectl wants to be answered. info
// is what it tells.
func KubeVersion(info string) (string, error) {
	if info == "" {
		return kubeVersions[0], nil
	}
	var asked struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal([]byte(info), &asked); err != nil || asked.Kind != "ExecCredential" {
		return "", errors.New(KubeInfoVariable + " has no ExecCredential")
	}
	if !slices.Contains(kubeVersions, asked.APIVersion) {
		return "", fmt.Errorf("kubectl speaks %q: set apiVersion to %s in the kubeconfig", asked.APIVersion, kubeVersions[0])
	}
	return asked.APIVersion, nil
}

// WriteKube gives kubectl a token: the ExecCredential of
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins.
// A token without an end is asked for once by each kubectl.
func WriteKube(w io.Writer, version, token string, expiry time.Time) error {
	type status struct {
		ExpirationTimestamp time.Time `json:"expirationTimestamp,omitzero"`
		Token               string    `json:"token"`
	}
	if !expiry.IsZero() {
		expiry = expiry.UTC().Truncate(time.Second)
	}
	return json.NewEncoder(w).Encode(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Status     status `json:"status"`
	}{version, "ExecCredential", status{expiry, token}})
}
