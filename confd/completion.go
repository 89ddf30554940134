package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"confd/internal/settings"
)

// shells are those that there are completions for.
func shells() []string { return []string{"bash", "zsh", "fish"} }

const completionHelp = `Print what a shell needs to complete confd's commands, flags and values.

For this shell alone:
  bash: source <(confd completion bash)
  zsh:  source <(confd completion zsh)
  fish: confd completion fish | source
For all: put what is printed where the shell looks for it, such as
  /usr/share/bash-completion/completions/confd, a folder of zsh's $fpath under the
  name _confd, or ~/.config/fish/completions/confd.fish.`

// completionCommand is confd completion.
func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion " + strings.Join(shells(), "|"), Short: "Print completions for a shell: bash, zsh or fish",
		Long: completionHelp, Example: completionExamples, ValidArgs: shells(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells(), args[0]) {
				return settings.Error{Err: fmt.Errorf("%s needs one of %s (see %s --help)", cmd.CommandPath(), strings.Join(shells(), ", "), cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			}
			return root.GenBashCompletionV2(w, true)
		},
	}
}
