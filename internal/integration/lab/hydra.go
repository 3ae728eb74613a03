package lab

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// A Hydra is a running ory hydra (github.com/ory/hydra) with its pages for login
// and consent: it rotates refresh tokens, and ends a grant if one is used twice,
// unless there is a grace period. What it knows is in a database, so it can be
// restarted.
type Hydra struct {
	Issuer string
	server *server
}

// StartHydra starts one of the test's own, over a PostgreSQL of its own. Its services
// are "hydra" and "postgresql". knobs are environment variables of its start script, such as AT_TTL=2
// for access tokens of two seconds, or GRACE=30.
//
// The script's own choice is SQLite. There hydra refuses live tokens, and logins, with
// "database is locked" when many callers are at work on a busy machine.
//
// Of connections it opens two for each processor by itself. With four, it stands still for
// half a minute once all of them are of token requests that wait to sign an ID token, while
// a request for its metadata holds the lock of the keys and waits for a connection.
func StartHydra(t testing.TB, knobs ...string) *Hydra {
	t.Helper()
	db := StartPostgreSQL(t)
	dsn := fmt.Sprintf("DSN=postgres://postgres@/postgres?host=%s&sslmode=disable&max_conns=100", url.QueryEscape(filepath.Dir(db.Socket)))
	s := start(t, "hydra", 3, []string{"bash", "go", "gcc", "node", "curl", "jq"}, append(knobs, dsn))
	h := &Hydra{Issuer: s.vars["ISSUER"], server: s}
	// Its key for ID tokens it has made at its start. This one it would make when its
	// keys are asked for.
	h.putKey(t, "hydra.jwt.access-token", rand.Text())
	return h
}

// NewKey makes the server sign its ID tokens with another key, which is called kid.
// That key is ours: hydra makes those of 4096 bits, which on a busy machine takes
// longer than the ten seconds after which it cuts a connection off.
func (h *Hydra) NewKey(t testing.TB, kid string) { h.putKey(t, "hydra.openid.id-token", kid) }

func (h *Hydra) putKey(t testing.TB, set, kid string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h.Admin(t, http.MethodPut, "/admin/keys/"+set+"/"+kid, jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(jose.RS256), Use: "sig"})
}

// Kill kills the server, and returns what starts it again over the same database.
func (h *Hydra) Kill(t testing.TB) (again func()) { return h.server.kill(t) }

// Admin sends a request to the API of the administrator.
func (h *Hydra) Admin(t testing.TB, method, path string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, h.server.vars["ADMIN"]+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}
