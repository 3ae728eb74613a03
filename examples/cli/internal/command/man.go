package command

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/regrant/regrant/examples/cli/internal/exit"
)

func (a *app) man() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages to a directory",
		Hidden: true,
		Args:   exactlyOne("the directory"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // of manuals, for everybody
				return exit.With(exit.Usage, "", err)
			}
			root := c.Root()
			root.DisableAutoGenTag = true // no date: the same program has the same pages
			root.Long += "\n\n" + manualCodes()
			return doc.GenManTree(root, &doc.GenManHeader{Title: "REGRANT", Section: "1", Source: "regrant", Manual: "regrant"}, args[0])
		},
	}
}

// manualCodes is the table of exit codes in Markdown, which is what the pages are
// made of.
func manualCodes() string { return "\n    " + strings.ReplaceAll(exitCodes(), "\n", "\n    ") }
