//go:build unix

package processes_test

import "testing"

func TestAHolderThatIsStoppedPastItsLeaseLogsNobodyOut(t *testing.T) {
	t.Parallel()
	store.SurvivesAStoppedHolder(t)
}
