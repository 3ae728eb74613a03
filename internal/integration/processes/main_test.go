// Package processes_test lets real processes share a filestore: they are started
// at once, killed, and stopped in the middle of a rotation, and their disk fails.
package processes_test

import (
	"testing"

	"github.com/regrant/regrant/internal/integration/crash"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

func TestMain(m *testing.M) { lab.Main(m, fleet.Programs(open)) }

func open(dir string) (tokenstore.Store, error) { return filestore.New(dir), nil }

func newDir(t testing.TB) string { return t.TempDir() + "/grants" }

// This is what x/oauth2 over one token file does not survive: all refresh with
// the same token, one wins, and a server that detects the reuse ends it for all.
func TestFieldCase_openai_codex_9634_TwentyProcessesOnOneFilestoreSurviveEveryExpiry(t *testing.T) {
	fleet.SurvivesEveryExpiry(t, open, newDir(t))
}

var store = crash.Store{Open: open, Place: newDir}

func TestKillingTheHolderCostsNoLoginAtAServerWithAGracePeriod(t *testing.T) {
	t.Parallel()
	store.SurvivesKills(t)
}

func TestFieldCase_auth0_Auth0_swift_490_KillingTheHolderLosesAGrantOnlyWithItsAnswer(t *testing.T) {
	t.Parallel()
	store.LosesOnlyTheUnavoidable(t)
}

func TestNothingButItsAnswerAndItsSaveIsBetweenACommitAndItsRecord(t *testing.T) {
	store.NothingElseIsInTheWindow(t)
}
