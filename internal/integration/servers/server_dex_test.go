package servers_test

import (
	"database/sql"
	"fmt"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func dex() server {
	return server{
		name: "dex",
		open: alike(startDex),
		lacks: map[string]string{
			"the user refuses in the browser": "it answers a refusal with an error page, and nobody is sent back",
			"the user refuses a device":       "a refused device goes on waiting",
		},
		untried: map[string]string{"the server is busy": "nothing here makes it busy"},
	}
}

func startDex(t *testing.T, s settings) *running {
	d := lab.StartDex(t, fmt.Sprintf("AT_TTL=%d", s.lifetime), fmt.Sprintf("GRACE=%d", s.grace))
	return &running{
		t: t, issuer: d.Issuer,
		public:       client.Config{Issuer: d.Issuer, ClientID: lab.PublicClient, RedirectURL: "http://localhost:53111/cb"},
		confidential: client.Config{Issuer: d.Issuer, ClientID: lab.BasicClient, Auth: client.Secret(lab.BasicSecret), RedirectURL: "http://127.0.0.1/cb"},
		browserURL:   "http://localhost/cb",
		username:     "alice@lab.test", password: "wonderland",
		user: walk("alice@lab.test"),
		changeSecret: func() string {
			d.Configure("secret: "+lab.BasicSecret, "secret: another-secret")
			return "another-secret"
		},
		// dex makes new keys at once, and forgets the old ones, by which nothing can be
		// verified any more. By itself it changes them every few hours.
		rotateKeys: func() { forget(t, d, "keys") },
		// It has no revocation endpoint, but its administrator ends what a user has
		// granted, refresh token and offline session (RevokeRefresh of its gRPC API).
		revoke:    func() { forget(t, d, "refresh_token", "offline_session") },
		kill:      d.Kill,
		noRefresh: func(c *client.Config) { c.Scopes = []string{"openid"} },
	}
}

// forget empties tables of dex's database, while it is down.
func forget(t *testing.T, d *lab.Dex, tables ...string) {
	t.Helper()
	again := d.Kill()
	db, err := sql.Open("sqlite", d.Database())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		done, err := db.ExecContext(t.Context(), "DELETE FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := done.RowsAffected(); n == 0 || err != nil {
			t.Errorf("%d rows of %s are forgotten, %v", n, table, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again()
}
